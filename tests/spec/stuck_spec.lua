-- Nothing stays in progress for ever: an external job that is gone, and one that stands still.
local support = require "support"

describe("a result whose external job is gone", function()
  local rt
  local function runs(refresh, declares)
    rt = support.open()
    rt:provider("p", [[
      function provider.executeBackup(backup, r) r.externalId = "job-1" end
      function provider.refreshBackupResult(r) spy('at', time.now())]] .. refresh .. " end", declares)
    rt:create("p")
    rt:run("p")
  end
  after_each(support.clean)

  it("is looked for again until visibilityDelay has passed, then needs attention", function()
    runs("return ServiceResponse.gone('no such job: job-1')", "refreshInterval = 10, visibilityDelay = 45")
    rt:advance(3600)
    local result = rt:result(1)
    assert.same({ "lost_external", "IN_PROGRESS", "no such job: job-1" }, { result.attention, result.status, result.statusMessage })
    local at = rt:spied("at")
    assert.equal(6, #at) -- after 10 s each, and at the end of the delay
    assert.equal(45000, at[6] - at[1])
    assert.matches("job%-1 is not there", rt:events("result.gone", 1)[1])
  end)

  it("is found as soon as it is there", function()
    runs("r.config = { n = (r:getConfigProperty('n') or 0) + 1 }; if r:getConfigProperty('n') <= 3 then return ServiceResponse.gone() end; r.status = 'SUCCEEDED'",
      "refreshInterval = 10, visibilityDelay = 45")
    rt:advance(3600)
    local result = rt:result(1)
    assert.same({ "SUCCEEDED", 40000 }, { result.status, result.durationMillis })
    assert.is_nil(result.attention)
  end)

  it("goes on where it was only a glimpse", function()
    runs("r.config = { n = (r:getConfigProperty('n') or 0) + 1 }; if r:getConfigProperty('n') % 2 == 1 then return ServiceResponse.gone() end",
      "refreshInterval = 10, visibilityDelay = 45")
    rt:advance(3600)
    local result = rt:result(1)
    assert.is_nil(result.attention)
    assert.is_true(#rt:spied("at") > 50)
  end)

  it("may be said of a job by refreshBackupResult only", function()
    rt = support.open()
    rt:provider("p", "function provider.executeBackup() return ServiceResponse.gone('x') end")
    rt:create("p")
    rt:run("p")
    rt:advance(1)
    assert.matches("only refreshBackupResult can say that", rt:result(1).errorMessage)
  end)
end)

describe("a result whose progress stands still", function()
  local rt
  local function runs(refresh, declares)
    rt = support.open()
    rt:provider("p", "function provider.executeBackup(backup, r) r.externalId = 'job-1' end\n" ..
      "function provider.refreshBackupResult(r) " .. refresh .. " end", declares)
    rt:create("p")
    rt:run("p")
  end
  after_each(support.clean)

  it("needs attention after noProgressTimeout", function()
    runs("r.progress = 40", "refreshInterval = 10, noProgressTimeout = 600")
    rt:advance(600)
    assert.is_nil(rt:result(1).attention)
    rt:advance(30)
    assert.equal("no_progress", rt:result(1).attention)
  end)

  it("is left alone while it moves, be it slowly", function()
    runs("r.sizeInBytes = (r.sizeInBytes or 0) + (time.now() % 500000 < 10000 and 1 or 0)", "refreshInterval = 10, noProgressTimeout = 600")
    rt:advance(6 * 3600)
    assert.is_nil(rt:result(1).attention)
  end)

  it("is left alone where progress was never told", function()
    runs("", "refreshInterval = 10, noProgressTimeout = 600")
    rt:advance(6 * 3600)
    assert.is_nil(rt:result(1).attention)
  end)

  it("goes on with its time afresh when a person says that it runs", function()
    runs("r.progress = 40", "refreshInterval = 10, noProgressTimeout = 600")
    rt:advance(700)
    rt:ask("result.resolve", { result = "1", ran = "" })
    rt:advance(500)
    assert.is_nil(rt:result(1).attention)
    rt:advance(200)
    assert.equal("no_progress", rt:result(1).attention)
  end)
end)
