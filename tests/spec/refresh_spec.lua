-- The refresh loop: how often, how long, and what each answer comes to.
local support = require "support"

describe("refreshing", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function refreshes(hook, declaration) rt:provider("p", support.starts .. hook, declaration) end

  -- The instants of refreshes, in seconds after the beginning.
  local function instants()
    local seconds = {}
    for i, at in ipairs(rt:spied("at")) do seconds[i] = (at - 1767225600000) / 1000 end
    return seconds
  end

  local spyAt = "function provider.refreshBackupResult(r) spy('at', time.now()) end"

  it("is every 60 seconds unless somebody says otherwise", function()
    refreshes(spyAt)
    rt:run("p")
    rt:advance(200)
    assert.same({ 60, 120, 180 }, instants())
  end)

  it("is at the provider's interval", function()
    refreshes(spyAt, "refreshInterval = 7")
    rt:run("p")
    rt:advance(22)
    assert.same({ 7, 14, 21 }, instants())
  end)

  it("is at the Backup's interval where it has one", function()
    refreshes(spyAt, "refreshInterval = 7")
    rt:create("p", { refreshInterval = 2.5 })
    rt:run("p")
    rt:advance(9)
    assert.same({ 2.5, 5, 7.5 }, instants())
  end)

  it("counts the interval from the end of a refresh", function()
    refreshes("function provider.refreshBackupResult(r) spy('at', time.now()) sleep(4) end", "refreshInterval = 10")
    rt:run("p")
    rt:advance(30)
    assert.same({ 10, 24 }, instants())
  end)

  for _, status in ipairs{ "SUCCEEDED", "SUCCEEDED_WARNING", "FAILED", "CANCELLED" } do
    it("ends with " .. status .. ", and then never happens again", function()
      refreshes("function provider.refreshBackupResult(r) spy('at', time.now()) if #r.statusMessage == 2 then r.status = '" .. status .. "' end r.statusMessage = r.statusMessage .. 'x' end")
      rt:provider("p", [[
        function provider.executeBackup(b, r) r.statusMessage = "" end
        function provider.refreshBackupResult(r)
          spy("at", time.now())
          if #(r.statusMessage or "") == 2 then r.status = "]] .. status .. [[" end
          r.statusMessage = (r.statusMessage or "") .. "x"
        end]])
      rt:run("p")
      rt:advance(1000)
      assert.same({ 60, 120, 180 }, instants())
      local result = rt:result(1)
      assert.equal(status, result.status)
      assert.equal(180000, result.durationMillis)
      assert.is_nil(result.nextAction)
    end)
  end

  it("takes `CANCELED` for CANCELLED", function()
    refreshes("function provider.refreshBackupResult(r) r.status = 'CANCELED' end")
    rt:run("p")
    rt:advance(60)
    assert.equal("CANCELLED", rt:result(1).status)
  end)

  it("goes on while the answer brings nothing new, and writes nothing then", function()
    refreshes(spyAt)
    rt:run("p")
    local before = rt:result(1)
    rt:advance(300)
    local after = rt:result(1)
    assert.equal(5, #rt:spied("at"))
    assert.equal(before.updatedDate, after.updatedDate)
    assert.same(before.ops, after.ops)
    assert.same(before.events, after.events)
  end)

  it("keeps what a refresh wrote", function()
    refreshes("function provider.refreshBackupResult(r) r.progress = (r.progress or 0) + 10 r:setConfigProperty('cursor.at', r.progress) end")
    rt:run("p")
    rt:advance(180)
    local result = rt:result(1)
    assert.equal(30, result.progress)
    assert.same({ cursor = { at = 30 } }, result.config)
  end)

  it("keeps what a refresh wrote to the Backup, even if that is all it wrote", function()
    refreshes("function provider.refreshBackupResult(r) r.backup:setConfigProperty('last', 'seen') end")
    rt:run("p")
    rt:advance(60)
    assert.same({ last = "seen" }, rt:ask("backup.show", { backup = "b" }).config)
  end)

  it("writes a journal row for a change of status or an error, and none else", function()
    refreshes([[
      local n = 0
      function provider.refreshBackupResult(r)
        n = n + 1
        if n == 1 then r.progress = 5 end
        if n == 2 then error("boom") end
        if n == 3 then r.progress = 6 end
        if n == 4 then r.status = "SUCCEEDED" end
      end]])
    rt:run("p")
    rt:advance(1000)
    local outcomes = {}
    for _, op in ipairs(rt:result(1).ops) do table.insert(outcomes, op.hook .. " " .. op.outcome) end
    assert.same({ "executeBackup success", "refreshBackupResult error", "refreshBackupResult success" }, outcomes)
  end)

  it("writes a journal row for a mutating act", function()
    refreshes("function provider.refreshBackupResult(r) process.run{ argv = { 'true' } } end", "needs = { exec = { 'true' } }")
    rt:run("p")
    rt:advance(60)
    local ops = rt:result(1).ops
    assert.same({ "refreshBackupResult", "done", "exec true" }, { ops[2].hook, ops[2].state, ops[2].act })
  end)

  it("of a halt ends FAILED with msg, and with an event that the external job may still run", function()
    refreshes("function provider.refreshBackupResult(r) return false, 'job not found' end")
    rt:run("p")
    rt:advance(600)
    local result = rt:result(1)
    assert.same({ "FAILED", "job not found" }, { result.status, result.statusMessage })
    assert.matches("job%-1 may still run", rt:events("result.orphan", 1)[1])
    assert.is_nil(result.nextAction)
  end)

  it("of retry is transient: again after the seconds it asked for, then after the interval", function()
    refreshes([[
      local n = 0
      function provider.refreshBackupResult(r)
        n = n + 1
        spy("at", time.now())
        if n == 1 then return ServiceResponse.retry("throttled", { after = 25 }) end
      end]])
    rt:run("p")
    rt:advance(60)
    assert.same({ "IN_PROGRESS", "throttled" }, { rt:result(1).status, rt:result(1).statusMessage })
    rt:advance(100)
    assert.same({ 60, 85, 145 }, instants())
  end)

  for what, code in pairs{ ["retry without after"] = "return ServiceResponse.retry('throttled')", ["a raised error"] = "error('boom')",
                           ["a transport error"] = "http.get('http://127.0.0.1:1/')", ["its timeout"] = "sleep(1000)" } do
    it("backs off after " .. what .. ", and is transient", function()
      refreshes("function provider.refreshBackupResult(r) spy('at', time.now()) " .. code .. " end",
        "refreshInterval = 10, timeouts = { refreshBackupResult = 0.001 }, needs = { http = { 'http://127.0.0.1:1' } }")
      rt:run("p")
      rt:advance(200)
      local at = instants()
      assert.equal(10, at[1])
      for i = 3, #at do assert.is_true(at[i] - at[i - 1] > (at[i - 1] - at[i - 2]) * 1.5, "the waits grow") end
      assert.is_true(#at >= 3)
      assert.equal("IN_PROGRESS", rt:result(1).status)
    end)
  end

  it("never waits longer than 15 minutes for the next", function()
    refreshes("function provider.refreshBackupResult(r) spy('at', time.now()) error('boom') end")
    rt:run("p")
    rt:advance(4 * 3600)
    local at = instants()
    for i = 2, #at do assert.is_true(at[i] - at[i - 1] <= 900) end
  end)

  it("may go wrong ten times in a row; then attention is refresh_failing, the status stays, and refreshing stops", function()
    refreshes("function provider.refreshBackupResult(r) spy('at', time.now()) error('boom') end", "refreshInterval = 1")
    rt:run("p")
    rt:advance(6 * 3600)
    local result = rt:result(1)
    assert.equal(10, #rt:spied("at"))
    assert.same({ "refresh_failing", "IN_PROGRESS" }, { result.attention, result.status })
    assert.matches("boom", result.statusMessage)
    assert.matches("refresh_failing", rt:events("result.attention", 1)[1])
    assert.equal("refresh_failing", rt:ask("status").attention[1].attention)
  end)

  it("forgets errors after a success", function()
    refreshes([[
      local n = 0
      function provider.refreshBackupResult(r)
        n = n + 1
        if n % 9 ~= 0 then error("boom") end
      end]], "refreshInterval = 1")
    rt:run("p")
    rt:advance(12 * 3600)
    assert.is_nil(rt:result(1).attention)
  end)

  it("has what a refresh wrote before it went wrong kept", function()
    refreshes("function provider.refreshBackupResult(r) r.externalId = 'new' error('boom') end")
    rt:run("p")
    rt:advance(60)
    assert.equal("new", rt:result(1).externalId)
  end)

  it("that reports the end before it goes wrong has ended", function()
    refreshes("function provider.refreshBackupResult(r) r.status = 'SUCCEEDED' error('while cleaning up') end")
    rt:run("p")
    rt:advance(60)
    assert.equal("SUCCEEDED", rt:result(1).status)
  end)

  it("past the result's deadline needs attention: overdue", function()
    refreshes(spyAt, "timeout = 150")
    rt:run("p")
    rt:advance(1000)
    local result = rt:result(1)
    assert.same({ "overdue", "IN_PROGRESS" }, { result.attention, result.status })
    assert.same({ 60, 120, 180 }, instants())
  end)

  it("is overdue after a day unless the provider says otherwise", function()
    refreshes(spyAt, "refreshInterval = 3600")
    rt:run("p")
    rt:advance(86399)
    assert.is_nil(rt:result(1).attention)
    rt:advance(3600)
    assert.equal("overdue", rt:result(1).attention)
  end)

  it("of a provider that cannot be asked waits for the deadline only", function()
    refreshes("", "timeout = 150")
    rt:run("p")
    rt:advance(149)
    assert.is_nil(rt:result(1).attention)
    rt:advance(10)
    assert.equal("overdue", rt:result(1).attention)
  end)

  describe("the status", function()
    it("stays with an unknown word, which records a warning", function()
      refreshes("function provider.refreshBackupResult(r) r.status = 'RUNNING' r.progress = 5 end")
      rt:run("p")
      rt:advance(60)
      assert.same({ "IN_PROGRESS", 5 }, { rt:result(1).status, rt:result(1).progress })
      assert.matches("unknown status 'RUNNING'", rt:events("provider.warning", 1)[1])
    end)

    it("is warned of with the nearest word", function()
      refreshes("function provider.refreshBackupResult(r) r.status = 'SUCCEDED' end")
      rt:run("p")
      rt:advance(60)
      assert.matches("did you mean SUCCEEDED", rt:events("provider.warning", 1)[1])
    end)

    it("never changes again once it is terminal: late evidence becomes an event", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) r.status = "SUCCEEDED" end
        function provider.extractBackup(r) r.status = "FAILED" r.resultPath = "/late" return ServiceResponse.success{ path = "/x" } end]])
      rt:run("p")
      rt:ask("result.extract", { result = "1", destination = "/x" })
      assert.same({ "SUCCEEDED", "/late" }, { rt:result(1).status, rt:result(1).resultPath })
      assert.matches("FAILED came after SUCCEEDED", rt:events("provider.warning", 1)[1])
    end)

    it("does not go back to an earlier one", function()
      refreshes("function provider.refreshBackupResult(r) r.status = 'INITIALIZING' spy('status', r.status) end")
      rt:run("p")
      rt:advance(60)
      assert.is_true(rt:result(1).status == "IN_PROGRESS" or rt:result(1).status == "INITIALIZING")
    end)

    it("has eight words, all in BackupStatusUtility, and CANCELED too", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r)
          for _, word in ipairs{ "START_REQUESTED", "INITIALIZING", "IN_PROGRESS", "CANCEL_REQUESTED", "CANCELLED", "SUCCEEDED", "SUCCEEDED_WARNING", "FAILED" } do
            spy("word", BackupStatusUtility[word])
          end
          spy("canceled", BackupStatusUtility.CANCELED)
        end]])
      rt:run("p")
      assert.same({ "START_REQUESTED", "INITIALIZING", "IN_PROGRESS", "CANCEL_REQUESTED", "CANCELLED", "SUCCEEDED", "SUCCEEDED_WARNING", "FAILED" }, rt:spied("word"))
      assert.same({ "CANCELLED" }, rt:spied("canceled"))
    end)

    it("cannot be a misspelt constant: that raises with the nearest", function()
      rt:provider("p", "function provider.executeBackup(b, r) r.status = BackupStatusUtility.SUCCEDED end")
      assert.matches("no status 'SUCCEDED' %(did you mean 'SUCCEEDED'%?%)", rt:run("p").errorMessage)
    end)
  end)

  it("does not delay one provider while another waits", function()
    rt:provider("slow", support.starts .. "function provider.refreshBackupResult(r) sleep(50) end", "refreshInterval = 1")
    rt:provider("quick", support.starts .. spyAt, "refreshInterval = 1")
    rt:create("slow", { name = "s" })
    rt:create("quick", { name = "q" })
    rt:ask("backup.run", { backup = "s" })
    rt:ask("backup.run", { backup = "q" })
    rt:advance(20)
    assert.equal(20, #rt:spied("at"))
  end)
end)
