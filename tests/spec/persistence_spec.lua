-- What persists, and when: writes to results and Backups, save(), the changed columns only.
local support = require "support"

describe("what a hook writes", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function backup() return rt:ask("backup.show", { backup = "b" }) end

  for what, code in pairs{ success = "", ["false"] = "return false, 'no'", ["a raised error"] = "error('boom')", retry = "return ServiceResponse.retry('x', { after = 600 })",
                           ["an answer that breaks the contract"] = "return 42" } do
    it("to a result persists with " .. what, function()
      rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' r:setConfigProperty('a.b', 1) " .. code .. " end")
      local result = rt:run("p")
      assert.same({ "x", { a = { b = 1 } } }, { result.externalId, result.config })
    end)

    it("to a Backup persists only on success, not so with " .. what, function()
      rt:provider("p", "function provider.executeBackup(b, r) b.externalId = 'x' b:setConfigProperty('a.b', 1) " .. code .. " end")
      rt:run("p")
      assert.equal(what == "success" and "x" or nil, backup().externalId)
      assert.same(what == "success" and { a = { b = 1 } } or nil, backup().config)
    end)
  end

  it("to a result persists when its deadline passes", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' sleep(100) end", "timeouts = { executeBackup = 5 }")
    rt:run("p")
    rt:advance(20)
    assert.same({ "FAILED", "x" }, { rt:result(1).status, rt:result(1).externalId })
  end)

  it("to a Backup persists from prepareExecuteBackup and prepareBackupResult, too", function()
    rt:provider("p", [[
      function provider.prepareExecuteBackup(b) b.internalId = "i" end
      function provider.prepareBackupResult(r) r.backup.externalId = "e" end
      function provider.executeBackup(b) spy("seen", { b.internalId, b.externalId }) end]])
    rt:run("p")
    assert.same({ { "i", "e" } }, rt:spied("seen"))
    assert.same({ "i", "e" }, { backup().internalId, backup().externalId })
  end)

  it("is not there for another hook before the hook has ended", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' sleep(10) end")
    rt:run("p")
    assert.is_nil(rt:result(1).externalId)
    rt:advance(10)
    assert.equal("x", rt:result(1).externalId)
  end)

  describe("and saves", function()
    it("is durable at once: save() of a result", function()
      rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'x' r:save() r.internalId = 'later' sleep(10) end")
      rt:run("p")
      assert.equal("x", rt:result(1).externalId)
      assert.is_nil(rt:result(1).internalId)
    end)

    it("is durable at once: save() of a Backup, also if the hook fails then", function()
      rt:provider("p", "function provider.executeBackup(b, r) b.externalId = 'x' b:save() b.internalId = 'lost' error('boom') end")
      rt:run("p")
      assert.equal("x", backup().externalId)
      assert.is_nil(backup().internalId)
    end)

    it("cannot save from what is somebody else's to change", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r)
          spy("server", { pcall(r.computeServer.save, r.computeServer) })
          spy("dot", { pcall(r.save) })
        end]])
      rt:ask("server.add", { name = "s" })
      rt:create("p", { server = "s" })
      rt:run("p")
      assert.is_false(rt:spied("server")[1][1])
      assert.is_false(rt:spied("dot")[1][1])
    end)

    it("survives the death of the process in the next instruction", function()
      local lasting = support.openLasting()
      lasting:provider("p", [[
        function provider.executeBackup(b, r)
          if r.externalId then spy("again", r.externalId) r.status = "SUCCEEDED" return end
          r.externalId = "learnt"
          r:setConfigProperty("step", 1)
          r:save()
          sleep(1000)
        end]])
      lasting:run("p")
      lasting:reopen()
      assert.same({ "learnt" }, lasting:spied("again"))
      assert.same({ "SUCCEEDED", "learnt", { step = 1 } }, { lasting:result(1).status, lasting:result(1).externalId, lasting:result(1).config })
    end)
  end)

  it("is terminal by a save, and stays so whatever comes then", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' r:save() r.status = 'FAILED' error('too late') end")
    local result = rt:run("p")
    assert.equal("SUCCEEDED", result.status)
    assert.is_nil(result.nextAction)
  end)

  it("is the changed columns only: two hooks that write different fields of one Backup keep both", function()
    rt:provider("p", [[
      function provider.executeBackup(b, r, config)
        if config.field == "externalId" then b.externalId = "one" else b.internalId = "two" end
        sleep(config.seconds)
      end]])
    rt:create("p")
    rt:ask("backup.run", { backup = "b", config = { field = "externalId", seconds = 10 } })
    rt:ask("backup.run", { backup = "b", config = { field = "internalId", seconds = 5 } })
    rt:advance(20)
    assert.same({ "one", "two" }, { backup().externalId, backup().internalId })
  end)

  it("is the changed columns only: a hook that writes a field leaves a pause alone that came meanwhile", function()
    rt:provider("p", "function provider.executeBackup(b, r) b.externalId = 'x' sleep(10) end")
    rt:create("p", { schedule = "@daily" })
    rt:ask("backup.run", { backup = "b" })
    rt:ask("backup.pause", { backup = "b" })
    rt:advance(10)
    assert.same({ "x", true }, { backup().externalId, backup().paused })
  end)

  it("of the same value is no change", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult(r) r.externalId = 'job-1' r.status = 'IN_PROGRESS' end")
    rt:run("p")
    local before = rt:result(1).updatedDate
    rt:advance(120)
    assert.equal(before, rt:result(1).updatedDate)
  end)

  it("may be nil: that removes the value", function()
    rt:provider("p", "function provider.prepareBackupResult(r) r.snapshotId = 's' end function provider.executeBackup(b, r) r.snapshotId = nil end")
    assert.is_nil(rt:run("p").snapshotId)
  end)
end)

describe("the journal", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  it("has the intent before the hook runs, the act before it leaves, the outcome after", function()
    rt:provider("p", "function provider.executeBackup(b, r) sleep(5) process.run{ argv = { 'true' } } sleep(5) end", "needs = { exec = { 'true' } }")
    rt:run("p")
    local function op() return rt:result(1).ops[1] end
    assert.same({ "executeBackup", "intent" }, { op().hook, op().state })
    rt:advance(5)
    assert.same({ "sent", "exec true" }, { op().state, op().act })
    assert.equal(op().sentDate, rt:result(1).sentDate)
    rt:advance(5)
    assert.same({ "done", "success" }, { op().state, op().outcome })
    assert.equal(64, #op().providerSha256)
  end)

  it("marks requests that change something and not those marked safe", function()
    local server = support.server()
    rt:provider("p", [[
      function provider.executeBackup(b, r)
        local url = b:getConfigProperty("url")
        http.get(url .. "/a")
        http.post(url .. "/b", { safe = true })
        process.run{ argv = { "true" }, safe = true }
        sleep(5)
        http.post(url .. "/c", { json = { a = 1 } })
        sleep(5)
      end]], "optionTypes = { { fieldName = 'url' } }, needs = { http = { '${option.url}' }, exec = { 'true' } }")
    rt:create("p", { config = { url = server.url } })
    rt:run("p")
    assert.equal("intent", rt:result(1).ops[1].state)
    assert.is_nil(rt:result(1).sentDate)
    rt:advance(5)
    assert.equal("sent", rt:result(1).ops[1].state)
    assert.equal("POST " .. server.url, rt:result(1).ops[1].act)
  end)

  it("goes with its result", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end function provider.deleteBackupResult() return true end")
    rt:run("p")
    rt:ask("result.rm", { result = "1" })
    for _, event in ipairs(rt:ask("events", { limit = 1000 }).events) do assert.is_nil(event.resultId) end
  end)
end)
