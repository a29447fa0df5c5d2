-- What a hook may answer, and what each answer means.
local support = require "support"

describe("an answer", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local execute = "function provider.executeBackup() return true end\n"

  -- The error of a creation whose createBackup runs this code, or nil.
  local function create(code)
    rt:provider("p", execute .. "function provider.createBackup(backup, opts) " .. code .. " end")
    local reply, err = rt:request("backup.create", { name = "b", provider = "p" })
    if reply then rt:ask("backup.rm", { backup = "b" }) end
    return err, reply
  end

  for _, code in ipairs{ "return ServiceResponse.success()", "return ServiceResponse { success = true }", "return { success = true }", "return true",
                         "return", "return nil", "" } do
    it("`" .. code .. "` is success", function() assert.is_nil((create(code))) end)
  end

  for _, code in ipairs{ "return ServiceResponse.error('why')", "return ServiceResponse { success = false, msg = 'why' }", "return { success = false, msg = 'why' }",
                         "return false, 'why'", "return { msg = 'why' }" } do
    it("`" .. code .. "` halts, with its message", function()
      local err = create(code)
      assert.equal("halted", err.code)
      assert.matches("why", err.message)
    end)
  end

  it("`false` alone halts", function() assert.equal("halted", create("return false").code) end)

  it("`{}` is false where success is asked for", function() assert.equal("halted", create("return {}").code) end)

  for code, value in pairs{ ["return 42"] = "the number 42", ["return 'done'"] = "the string \"done\"", ["return print"] = "a function",
                            ["return backup"] = "a Backup", ["return { success = 'yes' }"] = "the string \"yes\"",
                            ["return { success = true, errors = 'bad' }"] = "the string \"bad\"", ["return { success = true, msg = {} }"] = "a table",
                            ["return { sucess = true }"] = "did you mean 'success'" } do
    it("`" .. code .. "` is a provider error that names the hook and the value", function()
      local err = create(code)
      assert.equal("provider", err.code)
      assert.matches("createBackup", err.message, 1, true)
      assert.is_truthy(err.message:find(value, 1, true), err.message)
    end)
  end

  it("`nil, 'why'` is a provider error: it looks like a failure and would count as success", function()
    assert.equal("provider", create("return nil, 'why'").code)
  end)

  it("of 42 by executeBackup makes the result FAILED, with hook and value", function()
    rt:provider("p", "function provider.executeBackup() return 42 end")
    local result = rt:run("p")
    assert.equal("FAILED", result.status)
    assert.matches("executeBackup: answered the number 42", result.errorMessage)
  end)

  it("keeps per-field errors", function()
    assert.same({ path = "is a socket" }, create("return ServiceResponse.error('no', { path = 'is a socket' })").fields)
  end)

  describe("of nothing", function()
    local ends = "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end\n"

    it("counts as success in the hooks of creation and execution and in refresh", function()
      rt:provider("p", [[
        function provider.configureBackup() end
        function provider.validateBackup() end
        function provider.createBackup() end
        function provider.prepareExecuteBackup() end
        function provider.prepareBackupResult() end
        function provider.executeBackup() end
        function provider.refreshBackupResult(r) r.progress = 50 end]])
      rt:run("p")
      rt:advance(60)
      assert.same({ "IN_PROGRESS", 50, 0 }, { rt:result(1).status, rt:result(1).progress, rt:result(1).errorCount })
    end)

    for hook, request in pairs{ deleteBackup = { "backup.rm", { backup = "b", withResults = true } }, deleteBackupResult = { "result.rm", { result = "1" } },
                                extractBackup = { "result.extract", { result = "1", destination = "/x" } } } do
      it("is an error in " .. hook .. ", which must answer", function()
        rt:provider("p", ends .. (hook == "deleteBackup" and "function provider.deleteBackupResult() return true end\n" or "")
          .. "function provider." .. hook .. "() end")
        rt:run("p")
        local _, err = rt:requestOverTime(request[1], request[2])
        assert.equal("provider", err.code)
        assert.matches(hook .. ": returned nothing", err.message)
      end)
    end

    it("is an error in cancelBackup, which must answer", function()
      rt:provider("p", support.starts .. "function provider.cancelBackup() end")
      rt:run("p")
      local _, err = rt:requestOverTime("result.cancel", { result = "1" })
      assert.matches("cancelBackup: returned nothing", err.message)
    end)
  end)

  describe("of ServiceResponse", function()
    it("has success, error and retry; a misspelt one raises with the nearest", function()
      assert.matches("did you mean 'success'", create("return ServiceResponse.sucess()").message)
    end)

    it("is called with a dot: a colon gets a hint", function()
      assert.matches("with a dot", create("return ServiceResponse:success()").message)
    end)

    it("takes fields it has only", function()
      assert.matches("did you mean 'errors'", create("local r = ServiceResponse.success() r.error = {} return r").message)
    end)

    it("has inProgress", function() assert.is_nil((create("local r = ServiceResponse.success() r.inProgress = true return r"))) end)

    it("retry wants seconds", function()
      assert.matches("after", create("return ServiceResponse.retry('x', { after = 'soon' })").message)
      assert.matches("unknown option 'afte'", create("return ServiceResponse.retry('x', { afte = 3 })").message)
    end)
  end)

  describe("of BackupExecutionResponse", function()
    it("accepts updates and does not need it", function()
      for _, fields in ipairs{ "backupResult = r, updates = true", "backupResult = r, updates = false", "backupResult = r", "updates = { 'status' }" } do
        rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' return BackupExecutionResponse { " .. fields .. " } end")
        local result = rt:run("p")
        assert.same({ "IN_PROGRESS", "x" }, { result.status, result.externalId }, fields)
      end
    end)

    it("must hold the result that was given", function()
      rt:provider("p", "function provider.executeBackup(b, r) return BackupExecutionResponse { backupResult = { status = 'SUCCEEDED' } } end")
      assert.matches("must be the BackupResult", rt:run("p").errorMessage)
    end)

    it("refuses what is no field of it", function()
      rt:provider("p", "function provider.executeBackup(b, r) local e = BackupExecutionResponse {} e.backupresult = r return e end")
      assert.matches("did you mean 'backupResult'", rt:run("p").errorMessage)
    end)

    it("means nothing in other hooks", function()
      assert.equal("provider", create("return BackupExecutionResponse { updates = true }").code)
    end)
  end)

  describe("with three outcomes", function()
    it("has a transport error that http raises count as retry", function()
      rt:provider("p", support.starts .. "function provider.refreshBackupResult() http.get('http://127.0.0.1:1/') end", "needs = { http = { 'http://127.0.0.1:1' } }")
      rt:run("p")
      rt:advance(61)
      rt:advance(10)
      local result = rt:result(1)
      assert.same({ "IN_PROGRESS", 1 }, { result.status, result.errorCount })
      assert.equal("retry", result.ops[2].outcome)
    end)

    it("has any other raised error count as an error", function()
      rt:provider("p", support.starts .. "function provider.refreshBackupResult() error('boom') end")
      rt:run("p")
      rt:advance(60)
      assert.equal("error", rt:result(1).ops[2].outcome)
    end)

    it("has an error table with retryable count as retry", function()
      rt:provider("p", support.starts .. "function provider.refreshBackupResult() error{ code = 'unreachable', message = 'no route', retryable = true } end")
      rt:run("p")
      rt:advance(60)
      local op = rt:result(1).ops[2]
      assert.equal("retry", op.outcome)
      assert.matches("no route", op.message)
    end)
  end)
end)
