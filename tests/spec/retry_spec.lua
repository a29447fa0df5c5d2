-- result.retry: what has ended badly is run again, as it was asked for.
local support = require "support"

local provider = [[
  function provider.executeBackup(backup, result, executionConfig, cloud, server, opts)
    spy("given", { executionConfig, opts.note or false, opts.trigger, opts.requestedBy or false })
    spy("server", server and server.name)
    result.externalId = "job"
    if executionConfig.how == "run" then return true end
    result.status = executionConfig.how or "FAILED"
  end
  function provider.cancelBackup(result) result.status = "CANCELLED" return true end]]

describe("result.retry", function()
  local rt
  before_each(function()
    rt = assert(support.open())
    rt:provider("p", provider)
  end)
  after_each(support.clean)

  local function retry(id) return rt:ask("result.retry", { result = tostring(id), requestedBy = "ada" }) end
  local function refused(id, ...)
    local err = rt:refused("result.retry", { result = tostring(id) })
    assert.equal("refused", err.code)
    for _, text in ipairs{ ... } do assert.matches(text, err.message, 1, true) end
    assert.equal(1, #rt:ask("result.ls", {}))
  end

  it("runs a FAILED one again with the same executionConfig and the caller's opts", function()
    local first = rt:run("p", { config = { label = "x", n = { 1, 2 } }, opts = { note = "mine" }, requestedBy = "bob" })
    assert.equal("FAILED", first.status)
    local second = retry(first.id)
    rt:settle()
    assert.equal(first.uuid, second.retryOf)
    assert.are_not.equal(first.uuid, second.uuid)
    assert.same({ { { label = "x", n = { 1, 2 } }, "mine", "manual", "bob" }, { { label = "x", n = { 1, 2 } }, "mine", "manual", "ada" } }, rt:spied("given"))
    assert.equal("FAILED", rt:result(first.id).status)
  end)

  it("runs a CANCELLED one again", function()
    local first = rt:run("p", { config = { how = "CANCELLED" } })
    assert.equal(first.uuid, retry(first.id).retryOf)
  end)

  it("runs on the server that the result was for, be it not the Backup's", function()
    rt:ask("server.add", { name = "web" })
    local first = rt:run("p", { server = "web" })
    retry(first.id)
    rt:settle()
    assert.same({ "web", "web" }, rt:spied("server"))
  end)

  it("tells in an event of the first", function()
    local first = rt:run("p")
    local second = retry(first.id)
    assert.same({ "run again as result " .. second.id }, rt:events("result.retried", first.id))
  end)

  it("can be said of the second one, too", function()
    local second = retry(rt:run("p").id)
    rt:settle()
    assert.equal(second.uuid, retry(second.id).retryOf)
  end)

  it("is refused for one that is running, and says what to do", function()
    local first = rt:run("p", { config = { how = "run" } })
    refused(first.id, "is IN_PROGRESS", "cancel it first")
  end)

  it("is refused for one that ended well, and names backup run", function()
    local first = rt:run("p", { config = { how = "SUCCEEDED_WARNING" } })
    refused(first.id, "SUCCEEDED_WARNING", "orrery backup run b")
  end)

  it("is refused for one in attention, and names result resolve", function()
    rt:provider("p", "function provider.executeBackup() process.run{ argv = { 'true' } } error('lost') end", "needs = { exec = { 'true' } }")
    local first = rt:run("p")
    refused(first.id, "unknown_start", "orrery result resolve " .. first.uuid:sub(1, 8) .. " --retry")
  end)

  it("is refused for one that is not there", function()
    assert.equal("not_found", rt:refused("result.retry", { result = "nosuch" }).code)
  end)
end)
