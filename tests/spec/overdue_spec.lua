-- The deadline of a result: it is asked to end, and ends; what was lost is looked for once more.
local support = require "support"

describe("a result past its deadline", function()
  local rt
  local function runs(hooks, declares)
    rt = support.open()
    rt:provider("p", "function provider.executeBackup(backup, r) r.externalId = 'job-1' end\n" .. hooks, declares or "refreshInterval = 10, timeout = 150")
    rt:create("p")
    rt:run("p")
  end
  after_each(support.clean)

  it("is asked to end, and has ended when a refresh says so", function()
    runs([[
      function provider.refreshBackupResult(r) spy('refresh', r.status) if r:getConfigProperty('n') then r.status = 'CANCELLED' end end
      function provider.cancelBackup(r) spy('cancel', r.status) r:setConfigProperty('n', 1) return true end]])
    rt:advance(149)
    assert.same({}, rt:spied("cancel"))
    rt:advance(30)
    assert.same({ "CANCEL_REQUESTED" }, rt:spied("cancel"))
    assert.same({ "CANCELLED", nil }, { rt:result(1).status, rt:result(1).attention })
    assert.matches("a cancel is requested", rt:events("result.overdue", 1)[1])
  end)

  it("may succeed all the same", function()
    runs([[
      function provider.refreshBackupResult(r) if r:getConfigProperty('n') then r.status = 'SUCCEEDED' end end
      function provider.cancelBackup(r) r:setConfigProperty('n', 1) return true end]])
    rt:advance(200)
    assert.equal("SUCCEEDED", rt:result(1).status)
  end)

  it("is FAILED with the reason where the provider refuses, and listed as an orphan", function()
    runs("function provider.refreshBackupResult() end\nfunction provider.cancelBackup() return false, 'Acme cannot cancel' end")
    rt:advance(200)
    local result = rt:result(1)
    assert.same({ "FAILED", nil }, { result.status, result.attention })
    assert.equal("not at its end by its deadline: Acme cannot cancel", result.errorMessage)
    assert.matches("job%-1 may still run", rt:events("result.orphan", 1)[1])
    assert.matches("FAILED: not at its end", rt:events("result.ended", 1)[1])
  end)

  it("is FAILED after ten more refreshes where nothing comes of the cancel", function()
    runs("function provider.refreshBackupResult(r) spy('at', 1) end\nfunction provider.cancelBackup() spy('cancel', 1) return true end")
    rt:advance(151)
    assert.equal("CANCEL_REQUESTED", rt:result(1).status)
    rt:advance(90)
    assert.equal("CANCEL_REQUESTED", rt:result(1).status)
    rt:advance(40)
    assert.equal("FAILED", rt:result(1).status)
    assert.equal(1, #rt:spied("cancel"))
    local count = #rt:spied("at")
    rt:advance(3600)
    assert.equal(count, #rt:spied("at"))
  end)

  it("has the same grace where somebody had asked for the cancel before", function()
    runs("function provider.refreshBackupResult(r) end\nfunction provider.cancelBackup() spy('cancel', 1) return true end")
    rt:advance(145)
    rt:ask("result.cancel", { result = "1" })
    rt:advance(60)
    assert.equal("CANCEL_REQUESTED", rt:result(1).status)
    rt:advance(100)
    assert.equal("FAILED", rt:result(1).status)
    assert.equal(1, #rt:spied("cancel"))
  end)

  it("needs attention where nobody can be asked to end it", function()
    runs("function provider.refreshBackupResult() end")
    rt:advance(200)
    assert.equal("overdue", rt:result(1).attention)
  end)
end)

describe("a result whose external job is lost", function()
  local rt
  local function runs(gone, isLasting)
    rt = isLasting and support.openLasting() or support.open()
    rt:provider("p", [[
      function provider.executeBackup(backup, r) r.externalId = "job-1" end
      function provider.refreshBackupResult(r) spy('at', time.now())
        local passed, n = (time.now() - r.createdDate) / 1000, (r:getConfigProperty('n') or 0) + 1
        r:setConfigProperty('n', n)
        if ]] .. gone .. [[ then return ServiceResponse.gone('no such job: job-1') end
      end]], "refreshInterval = 10, visibilityDelay = 20, timeout = 600")
    rt:create("p")
    rt:run("p")
  end
  after_each(support.clean)

  it("is looked for once more at its deadline, and then FAILED", function()
    runs("true")
    rt:advance(100)
    assert.same({ "lost_external", "IN_PROGRESS" }, { rt:result(1).attention, rt:result(1).status })
    assert.equal(3, #rt:spied("at")) -- until visibilityDelay has passed
    rt:advance(600)
    local result = rt:result(1)
    assert.same({ "FAILED", nil }, { result.status, result.attention })
    assert.equal("not at its end by its deadline: no such job: job-1", result.errorMessage)
    assert.equal(4, #rt:spied("at"))
    assert.matches("job%-1 may still run", rt:events("result.orphan", 1)[1])
  end)

  it("goes on where it is there again then", function()
    runs("passed > 5 and passed < 100")
    rt:advance(100)
    assert.equal("lost_external", rt:result(1).attention)
    rt:advance(499)
    assert.equal(3, #rt:spied("at"))
    rt:advance(5)
    assert.equal("overdue", rt:result(1).attention)
    assert.matches("job%-1 is there again", rt:events("result.found", 1)[1])
  end)

  it("is looked for at a restart, too", function()
    runs("n <= 3", true)
    rt:advance(200)
    assert.equal("lost_external", rt:result(1).attention)
    rt:reopen()
    rt:advance(1)
    assert.same({ nil, "IN_PROGRESS" }, { rt:result(1).attention, rt:result(1).status })
  end)

  it("can be resolved meanwhile", function()
    runs("true")
    rt:advance(100)
    rt:ask("result.resolve", { result = "1", retry = true })
    rt:advance(1)
    assert.equal("FAILED", rt:result(1).status)
    assert.equal(2, #rt:ask("result.ls", {}))
  end)
end)
