-- One execution: prepareExecuteBackup, prepareBackupResult, executeBackup; what they share and what halts.
local support = require "support"

describe("an execution", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  it("calls prepareExecuteBackup, prepareBackupResult, executeBackup, in this order", function()
    rt:provider("p", [[
      function provider.prepareExecuteBackup() spy("order", "prepareExecute") end
      function provider.prepareBackupResult() spy("order", "prepareResult") end
      function provider.executeBackup() spy("order", "execute") end]])
    local result = rt:run("p")
    assert.same({ "prepareExecute", "prepareResult", "execute" }, rt:spied("order"))
    assert.same({ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" }, rt:journal(result.id))
  end)

  it("calls prepareExecuteBackup before every execution", function()
    rt:provider("p", [[
      function provider.prepareExecuteBackup(backup) spy("backup", backup.name) end
      function provider.executeBackup(b, r) r.status = "SUCCEEDED" end]])
    rt:run("p")
    rt:run("p")
    assert.same({ "b", "b" }, rt:spied("backup"))
  end)

  it("is START_REQUESTED when accepted, INITIALIZING for its hooks, IN_PROGRESS once started", function()
    rt:provider("p", [[
      function provider.prepareBackupResult(r) spy("status", r.status) end
      function provider.executeBackup(b, r) spy("status", r.status) end]])
    rt:create("p")
    assert.equal("START_REQUESTED", rt:ask("backup.run", { backup = "b" }).status)
    rt:settle()
    assert.same({ "INITIALIZING", "INITIALIZING" }, rt:spied("status"))
    assert.equal("IN_PROGRESS", rt:result(1).status)
  end)

  for _, hook in ipairs{ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" } do
    local function with(code)
      return [[
        for _, name in ipairs{ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" } do
          provider[name] = function(...)
            spy("called", name)
            if name == "]] .. hook .. '" then ' .. code .. " end end end"
    end

    it("is FAILED with msg if " .. hook .. " answers false, and calls nothing more", function()
      rt:provider("p", with("return false, 'no space left'"))
      local result = rt:run("p")
      assert.equal("FAILED", result.status)
      assert.equal("no space left", result.statusMessage)
      assert.equal("no space left", result.errorMessage)
      local called = rt:spied("called")
      assert.equal(hook, called[#called])
    end)

    it("is FAILED if " .. hook .. " answers ServiceResponse.error", function()
      rt:provider("p", with("return ServiceResponse.error('no licence')"))
      local result = rt:run("p")
      assert.same({ "FAILED", "no licence" }, { result.status, result.statusMessage })
    end)

    it("is FAILED if " .. hook .. " raises before anything has left, with hook, file and line", function()
      rt:provider("p", with("error('boom')"))
      local result = rt:run("p")
      assert.equal("FAILED", result.status)
      assert.matches(hook .. ".*:%d+: boom", result.errorMessage)
    end)

    it("is FAILED if " .. hook .. " passes its deadline before anything has left", function()
      rt:provider("p", with("sleep(100)"), "timeouts = { " .. hook .. " = 5 }")
      rt:run("p")
      rt:advance(20)
      local result = rt:result(1)
      assert.equal("FAILED", result.status)
      assert.matches("deadline", result.errorMessage)
    end)

    it("goes on after " .. hook .. " has answered retry, without a word about failure", function()
      rt:provider("p", "local tries = 0\n" .. with("tries = tries + 1 if tries < 3 then return ServiceResponse.retry('busy', { after = 4 }) end"))
      rt:run("p")
      assert.not_equal("FAILED", rt:result(1).status)
      rt:advance(4)
      rt:advance(4)
      assert.equal("IN_PROGRESS", rt:result(1).status)
    end)
  end

  it("has a result with dates, uuid, the Backup's name and its provider", function()
    rt:provider("p", "function provider.executeBackup(b, r) sleep(3) r.status = 'SUCCEEDED' end")
    local began = rt:now()
    rt:run("p")
    rt:advance(3)
    local result = rt:result(1)
    assert.same({ began, began + 3000, 3000 }, { result.startDate, result.endDate, result.durationMillis })
    assert.same({ "b", "p", "manual" }, { result.backupName, result.providerCode, result.trigger })
    assert.equal(36, #result.uuid)
  end)

  describe("prepareBackupResult", function()
    it("writes what is visible in executeBackup", function()
      rt:provider("p", [[
        function provider.prepareBackupResult(r) r.externalId = "early" r:setConfigProperty("a.b", 7) end
        function provider.executeBackup(b, r) spy("seen", { r.externalId, r:getConfigProperty("a.b") }) end]])
      rt:run("p")
      assert.same({ { "early", 7 } }, rt:spied("seen"))
    end)

    it("writes what is committed before executeBackup", function()
      rt:provider("p", [[
        function provider.prepareBackupResult(r) r.externalId = "early" end
        function provider.executeBackup(b, r) sleep(60) end]])
      rt:run("p")
      assert.equal("early", rt:result(1).externalId)
      assert.equal("executeBackup", rt:result(1).nextAction)
    end)
  end)

  describe("executionConfig", function()
    it("is what the caller supplied for this execution", function()
      rt:provider("p", "function provider.executeBackup(b, r, config) spy('config', config) end")
      local result = rt:run("p", { config = { full = true, deep = { list = { 1, 2 } } } })
      assert.same({ { full = true, deep = { list = { 1, 2 } } } }, rt:spied("config"))
      assert.same({ full = true, deep = { list = { 1, 2 } } }, result.executionConfig)
    end)

    it("is {} if nothing was supplied, never nil", function()
      rt:provider("p", "function provider.executeBackup(b, r, config) spy('config', { type(config), next(config) == nil }) end")
      rt:run("p")
      assert.same({ { "table", true } }, rt:spied("config"))
    end)

    it("is {} for a scheduled run", function()
      rt:provider("p", "function provider.executeBackup(b, r, config) spy('config', { type(config), next(config) == nil }) end")
      rt:create("p", { schedule = "@every 10s" })
      rt:advance(10)
      assert.same({ { "table", true } }, rt:spied("config"))
    end)

    it("cannot be changed by a hook", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r, config)
          config.full = "no"
          spy("write", { pcall(function() r.executionConfig = {} end) })
        end
        function provider.refreshBackupResult(r) spy("kept", r.executionConfig) end]])
      local result = rt:run("p", { config = { full = true } })
      assert.is_false(rt:spied("write")[1][1])
      rt:advance(60)
      assert.same({ { full = true } }, rt:spied("kept"))
      assert.same({ full = true }, rt:result(result.id).executionConfig)
    end)

    it("is each result's own", function()
      rt:provider("p", "function provider.executeBackup(b, r, config) spy('which', config.which) end")
      rt:run("p", { config = { which = 1 } })
      rt:run("p", { config = { which = 2 } })
      assert.same({ 1, 2 }, rt:spied("which"))
    end)
  end)

  describe("opts", function()
    it("are shared: what a hook writes there the next one sees", function()
      rt:provider("p", [[
        function provider.prepareExecuteBackup(b, opts) opts.first = "one" end
        function provider.prepareBackupResult(r, opts) spy("second", opts.first) opts.second = { deep = 2 } end
        function provider.executeBackup(b, r, c, cl, s, opts) spy("third", { opts.first, opts.second.deep }) opts.third = true end]])
      local result = rt:run("p", { opts = { own = "o" } })
      assert.same({ "one" }, rt:spied("second"))
      assert.same({ { "one", 2 } }, rt:spied("third"))
      assert.same({ own = "o", first = "one", second = { deep = 2 }, third = true }, result.opts)
    end)

    it("lose what a hook removes from them", function()
      rt:provider("p", [[
        function provider.prepareBackupResult(r, opts) opts.own = nil end
        function provider.executeBackup(b, r, c, cl, s, opts) spy("own", opts.own) end]])
      rt:run("p", { opts = { own = "o" } })
      assert.same({ false }, rt:spied("own"))
    end)

    it("keep what was written in an attempt that was told to try again", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r, c, cl, s, opts)
          spy("try", { opts.attempt, opts.seen or 0 })
          opts.seen = (opts.seen or 0) + 1
          if opts.seen < 3 then return ServiceResponse.retry("busy", { after = 1 }) end
        end]])
      rt:run("p")
      rt:advance(1)
      rt:advance(1)
      assert.same({ { 1, 0 }, { 2, 1 }, { 3, 2 } }, rt:spied("try"))
    end)

    it("that are no data are not kept, with a warning that names the place", function()
      rt:provider("p", [[
        function provider.prepareBackupResult(r, opts) opts.f = function() end end
        function provider.executeBackup(b, r, c, cl, s, opts) spy("f", opts.f == nil) end]])
      local result = rt:run("p")
      assert.same({ true }, rt:spied("f"))
      assert.matches("function", rt:events("provider.warning", result.id)[1])
    end)

    it("tell a scheduled run from one that was asked for, and who asked", function()
      rt:provider("p", "function provider.executeBackup(b, r, c, cl, s, opts) spy('who', { opts.trigger, opts.requestedBy or 'nobody' }) r.status = 'SUCCEEDED' end")
      rt:create("p", { schedule = "@every 10s" })
      rt:run("p", { requestedBy = "ann" })
      rt:advance(10)
      assert.same({ { "manual", "ann" }, { "schedule", "nobody" } }, rt:spied("who"))
    end)

    it("cannot override the runtime's keys", function()
      rt:provider("p", "function provider.executeBackup(b, r, c, cl, s, opts) spy('opts', { opts.trigger, opts.attempt }) end")
      rt:run("p", { opts = { trigger = "mine", attempt = 99 } })
      assert.same({ { "manual", 1 } }, rt:spied("opts"))
    end)
  end)

  describe("cloud and computeServer", function()
    local spies = "function provider.executeBackup(b, r, c, cloud, server) spy('at', { cloud and cloud.name or 'none', server and server.name or 'none' }) end"
    before_each(function()
      rt:provider("p", spies)
      rt:ask("cloud.add", { name = "east" })
      rt:ask("cloud.add", { name = "west" })
      rt:ask("server.add", { name = "inEast", cloud = "east" })
      rt:ask("server.add", { name = "nowhere" })
    end)

    it("are the server's cloud and the server", function()
      rt:create("p", { server = "inEast" })
      rt:run("p")
      assert.same({ { "east", "inEast" } }, rt:spied("at"))
    end)

    it("are the backup's own cloud and nil without a server", function()
      rt:create("p", { cloud = "west" })
      rt:run("p")
      assert.same({ { "west", "none" } }, rt:spied("at"))
    end)

    it("are the server's cloud before the backup's own", function()
      rt:create("p", { cloud = "west", server = "inEast" })
      rt:run("p")
      assert.same({ { "east", "inEast" } }, rt:spied("at"))
    end)

    it("are nil where there is neither", function()
      rt:create("p", { server = "nowhere" })
      rt:run("p")
      assert.same({ { "none", "nowhere" } }, rt:spied("at"))
    end)

    it("are the backup's own cloud where the server has none", function()
      rt:create("p", { server = "nowhere", cloud = "west" })
      rt:run("p")
      assert.same({ { "west", "nowhere" } }, rt:spied("at"))
    end)

    it("are the backup's own cloud where the server that was given for this run has none", function()
      rt:create("p", { cloud = "west" })
      rt:run("p", { server = "nowhere" })
      assert.same({ { "west", "nowhere" } }, rt:spied("at"))
    end)

    it("are not the cloud of the server whose place is taken for this run", function()
      rt:create("p", { server = "inEast" })
      rt:run("p", { server = "nowhere" })
      assert.same({ { "none", "nowhere" } }, rt:spied("at"))
    end)

    it("are those of the server that was given for this run", function()
      rt:create("p", { cloud = "west" })
      rt:run("p", { server = "inEast" })
      assert.same({ { "east", "inEast" } }, rt:spied("at"))
    end)
  end)

  describe("executeBackup", function()
    it("may end in one go", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) r.status = "SUCCEEDED" r.sizeInBytes = 1048576 end
        function provider.refreshBackupResult() spy("refreshed", true) end]])
      local result = rt:run("p")
      assert.same({ "SUCCEEDED", 1048576, 1 }, { result.status, result.sizeInBytes, result.sizeInMb })
      assert.is_nil(result.nextAction)
      rt:advance(600)
      assert.same({}, rt:spied("refreshed"))
    end)

    it("may end in one go with each terminal status", function()
      for _, status in ipairs{ "SUCCEEDED", "SUCCEEDED_WARNING", "FAILED", "CANCELLED" } do
        rt:provider("p", "function provider.executeBackup(b, r) r.status = '" .. status .. "' return ServiceResponse.success(nil, 'so it is') end")
        local result = rt:run("p")
        assert.same({ status, "so it is" }, { result.status, result.statusMessage })
      end
    end)

    it("answers a BackupExecutionResponse", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r)
          r.externalId = "x"
          r.status = "SUCCEEDED"
          return BackupExecutionResponse { backupResult = r, updates = true }
        end]])
      local result = rt:run("p")
      assert.same({ "SUCCEEDED", "x" }, { result.status, result.externalId })
    end)

    it("answers a ServiceResponse with a BackupExecutionResponse as data", function()
      rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' return ServiceResponse.success(BackupExecutionResponse { backupResult = r }) end")
      assert.equal("SUCCEEDED", rt:run("p").status)
    end)

    it("needs no answer: writing to the result it was given is enough", function()
      rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' end")
      local result = rt:run("p")
      assert.same({ "IN_PROGRESS", "x" }, { result.status, result.externalId })
    end)

    it("has what it wrote kept although it fails: an externalId learnt before an error counts", function()
      rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' error('boom') end")
      local result = rt:run("p")
      assert.same({ "FAILED", "x" }, { result.status, result.externalId })
    end)

    it("is not judged when it raises after its first act: attention is unknown_start", function()
      rt:provider("p", "function provider.executeBackup(b, r) process.run{ argv = { 'true' } } error('boom') end", "needs = { exec = { 'true' } }")
      local result = rt:run("p")
      assert.equal("unknown_start", result.attention)
      assert.equal("INITIALIZING", result.status)
      assert.is_nil(result.nextAction)
      assert.equal(rt:now(), result.sentDate)
    end)

    it("is not judged when it times out after its first act", function()
      rt:provider("p", "function provider.executeBackup(b, r) process.run{ argv = { 'true' } } sleep(100) end",
        "needs = { exec = { 'true' } }, timeouts = { executeBackup = 5 }")
      local began = rt:now()
      rt:run("p")
      rt:advance(100)
      local result = rt:result(1)
      assert.same({ "unknown_start", "INITIALIZING", began }, { result.attention, result.status, result.sentDate })
      assert.equal(1, #result.ops)
    end)

    it("is not judged when it answers retry after its first act: as after a crash", function()
      rt:provider("p", "function provider.executeBackup(b, r) process.run{ argv = { 'true' } } return ServiceResponse.retry('busy') end", "needs = { exec = { 'true' } }")
      assert.equal("unknown_start", rt:run("p").attention)
    end)

    it("is asked again when the connection of its first act is refused: nothing has left", function()
      rt:provider("p", "function provider.executeBackup(b, r) spy('try', r.uuid) http.post('http://127.0.0.1:1/jobs', { json = {} }) end",
        "needs = { http = { 'http://127.0.0.1:1' } }")
      rt:run("p")
      local result = rt:result(1)
      assert.same({ "INITIALIZING", "executeBackup" }, { result.status, result.nextAction })
      assert.is_nil(result.sentDate)
      assert.is_nil(result.attention)
      assert.matches("refused", result.statusMessage)
      rt:advance(600)
      assert.equal(6, #rt:spied("try"))
      assert.equal("FAILED", rt:result(1).status)
    end)

    it("forgets what was said of a try that went wrong once it has succeeded", function()
      rt:provider("p", "local n = 0 function provider.executeBackup(b, r) n = n + 1 if n == 1 then return ServiceResponse.retry('busy') end r.status = 'SUCCEEDED' end")
      rt:run("p")
      assert.equal("busy", rt:result(1).statusMessage)
      rt:advance(10)
      assert.equal("SUCCEEDED", rt:result(1).status)
      assert.is_nil(rt:result(1).statusMessage)
    end)

    it("is not given a declared password by its caller: what it is given is stored and shown", function()
      rt:provider("p", "function provider.executeBackup() end", "optionTypes = { { fieldName = 'key', inputType = 'password' } }")
      rt:create("p")
      assert.matches("password", rt:refused("backup.run", { backup = "b", config = { key = "hush" } }).fields.key)
      assert.same({}, rt:ask("result.ls"))
    end)

    it("is halted by false after its first act, too: the provider knows", function()
      rt:provider("p", "function provider.executeBackup(b, r) process.run{ argv = { 'true' } } return false, 'refused there' end", "needs = { exec = { 'true' } }")
      local result = rt:run("p")
      assert.same({ "FAILED", "refused there" }, { result.status, result.statusMessage })
      assert.is_nil(result.attention)
    end)

    it("is run again, with the same uuid, where the provider is idempotent", function()
      rt:provider("p", [[
        local tries = 0
        function provider.executeBackup(b, r, c, cl, s, opts)
          tries = tries + 1
          spy("try", { r.uuid, opts.attempt })
          process.run{ argv = { "true" } }
          if tries == 1 then error("once") end
        end]], "idempotent = true, needs = { exec = { 'true' } }")
      local result = rt:run("p")
      rt:advance(30)
      assert.same({ { result.uuid, 1 }, { result.uuid, 2 } }, rt:spied("try"))
      assert.equal("IN_PROGRESS", rt:result(1).status)
    end)

    it("that may have started something is looked up after the visibility delay, adopted if it is found", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) process.run{ argv = { "true" } } error("boom") end
        function provider.recoverBackupResult(r, opts)
          spy("look", { time.now(), opts.sentDate })
          r.externalId = "found-1"
          return true
        end
        function provider.refreshBackupResult(r) r.status = "SUCCEEDED" end]], "visibilityDelay = 45, needs = { exec = { 'true' } }")
      local began = rt:now()
      rt:run("p")
      rt:advance(44)
      assert.same({}, rt:spied("look"))
      rt:advance(1)
      assert.same({ { began + 45000, began } }, rt:spied("look"))
      rt:advance(60)
      assert.same({ "SUCCEEDED", "found-1" }, { rt:result(1).status, rt:result(1).externalId })
    end)

    it("that was certainly not started is run again", function()
      rt:provider("p", [[
        local tries = 0
        function provider.executeBackup(b, r)
          tries = tries + 1
          spy("try", r.uuid)
          process.run{ argv = { "true" } }
          if tries == 1 then error("boom") end
        end
        function provider.recoverBackupResult() return ServiceResponse.success{ found = false } end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      rt:advance(5)
      assert.equal(2, #rt:spied("try"))
      assert.equal("IN_PROGRESS", rt:result(1).status)
    end)

    it("that cannot be looked up ends in unknown_start when the budget is spent", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) process.run{ argv = { "true" } } error("boom") end
        function provider.recoverBackupResult(r, opts) spy("look", opts.attempt) return ServiceResponse.retry("not yet", { after = 1 }) end]],
        "needs = { exec = { 'true' } }")
      rt:run("p")
      rt:advance(60)
      assert.equal("unknown_start", rt:result(1).attention)
      assert.is_true(#rt:spied("look") >= 9)
    end)
  end)

  it("finishes each hook on the code it started with; the next hook runs the new code, and the journal tells them apart", function()
    local function version(n)
      rt:provider("p", "function provider.prepareExecuteBackup() sleep(10) spy('prepared', " .. n .. ") end\nfunction provider.executeBackup() spy('executed', " .. n .. ") end")
    end
    version(1)
    rt:run("p")
    version(2)
    rt:advance(10)
    assert.same({ { 1 }, { 2 } }, { rt:spied("prepared"), rt:spied("executed") })
    local ops = rt:result(1).ops
    assert.is_not_equal(ops[1].providerSha256, ops[2].providerSha256)
  end)

  it("is refused while the connection is not enabled", function()
    rt:provider("p", support.starts)
    rt:ask("connection.add", { name = "off", provider = "p", enabled = false })
    assert.equal("refused", rt:refused("backup.create", { name = "b", provider = "p", connection = "off" }).code)
  end)
end)
