-- run, clock and the assertions: each drives what it says, and each assertion fails where it must.
local test = require "orrery.test"
local blame = require "orrery.blame"
local run, clock, mock = test.run, test.clock, test.mock

local function add(body, declaration)
  assert(test.provider("p", ("local provider = Provider { apiVersion = 1, code = 'p', name = 'P', version = '1', %s }\n"):format(declaration or "") .. body ..
    "\nreturn provider"))
end

local function fails(pattern, what)
  local ok, raised = pcall(what)
  assert.is_false(ok)
  local text = blame.text(raised)
  if not text:find(pattern) then error(("no '%s' in:\n%s"):format(pattern, text), 2) end
end

describe("run", function()
  it("creates, runs, follows and deletes", function()
    add([[
      function provider.executeBackup(b, r, config) r.statusMessage, r.status = (config.who or "nobody") .. " " .. b:getConfigProperty("path"), "SUCCEEDED" end
      function provider.deleteBackupResult() return true end]],
      "optionTypes = { { fieldName = 'path', inputType = 'text' } }")
    local result = run.backup { provider = "p", options = { path = "/srv" }, config = { who = "ada" } }
    assert.result(result).succeeded().deleted()
    assert.equal("ada /srv", result.statusMessage)
    assert.same({ "executeBackup" }, result.hooks)
    assert.equal(0, #test.request("backup.ls"))
  end)

  it("answers why a creation was refused, or raises it", function()
    add("function provider.executeBackup() end", "optionTypes = { { fieldName = 'path', inputType = 'text', required = true } }")
    local backup, err = run.create { provider = "p" }
    assert.is_nil(backup)
    assert.is_truthy(err.fields.path)
    fails("run_spec.lua:%d+: the Backup was not created: .*%(path: ", function() run.backup { provider = "p" } end)
  end)

  it("cancels, extracts, refreshes and updates", function()
    add([[
      function provider.executeBackup(b, r) r.status = "IN_PROGRESS" end
      function provider.refreshBackupResult(r)
        r.progress = (r.progress or 0) + 10
        if r.status == "CANCEL_REQUESTED" then r.status = "CANCELLED" end
      end
      function provider.cancelBackup() return true end
      function provider.extractBackup() return true end]], "optionTypes = { { fieldName = 'a', inputType = 'number' } }")
    local backup = run.create { provider = "p", options = { a = 1 } }
    assert.is_truthy(backup:update { options = { a = 2 } })
    assert.equal(2, backup:show().config.a)
    local result = backup:run()
    assert.result(result).running()
    assert.equal(10, result:refresh().progress)
    assert.is_true(result:cancel())
    assert.result(result:wait()).cancelled()
    local _, err = result:extract("/tmp/nowhere")
    assert.is_truthy(err.message:find("nothing to extract", 1, true))
    local deleted, why = result:delete()
    assert.is_nil(deleted)
    assert.equal("refused", why.code)
    assert.is_truthy(result.deleteError)
    assert.equal(1, #backup:results())
  end)

  it("tries a connection, and makes inventory", function()
    add([[
      function provider.testConnection(c) return c.serviceUrl == "https://a.test", "it is " .. c.serviceUrl end
      function provider.executeBackup(b, r, config, cloud, server) r.status, r.statusMessage = "SUCCEEDED", cloud.name .. " " .. server.externalId end]])
    assert.equal("it is https://a.test", run.testConnection({ serviceUrl = "https://a.test" }, "p").msg)
    local result = run.backup { provider = "p", connection = { serviceUrl = "https://a.test" }, server = { externalId = "vm-1" }, cloud = { code = "x" }, delete = false }
    assert.equal("cloud vm-1", result.statusMessage)
  end)

  it("moves time", function()
    local before = clock:now()
    clock:advance(6 * 3600)
    assert.equal(before + 6 * 3600000, clock:now())
    fails("clock:advance takes seconds, and a colon", function() clock.advance(5) end)
  end)

  it("has settings of its own where they are asked for first", function()
    test.open { history_events = "7" }
    fails("test.open comes first in a test", function() test.open {} end)
    local _, err = test.request("backup.show", { backup = "none" })
    assert.equal("not_found", err.code)
  end)
end)

describe("assert.result", function()
  local ends = { SUCCEEDED = "succeeded", SUCCEEDED_WARNING = "succeededWithWarning", FAILED = "failed", CANCELLED = "cancelled", IN_PROGRESS = "running" }

  for status, right in pairs(ends) do
    it("tells " .. status .. " from the others", function()
      add(("function provider.executeBackup(b, r) r.status, r.errorMessage = %q, 'broken in two' end"):format(status))
      local result = run.create({ provider = "p" }):run()
      assert.result(result)[right]()
      for _, wrong in pairs(ends) do
        if wrong ~= right then fails("run_spec.lua:%d+: the result should .* but it is " .. status, function() assert.result(result)[wrong]() end) end
      end
      fails("should have been deleted", function() assert.result(result).deleted() end)
      fails("should need attention", function() assert.result(result).needsAttention() end)
    end)
  end

  it("looks at messages and words", function()
    add("function provider.executeBackup(b, r) return false, 'no such policy' end")
    local result = run.backup { provider = "p", delete = false }
    assert.result(result).failed("such pol")
    fails("should have FAILED with 'other'", function() assert.result(result).failed("other") end)
    fails("its journal:", function() assert.result(result).succeeded() end)
    fails("has no 'suceeded'", function() assert.result(result).suceeded() end)
    fails("takes a result of run.backup", function() assert.result({}) end)
  end)

  it("knows what somebody has to look at", function()
    local api = mock.http "https://a.test"
    api:on("POST /x", mock.fault.reset())
    add("function provider.executeBackup(b, r) http.post('https://a.test/x') end", "needs = { http = { 'https://a.test' } }")
    local result = run.backup { provider = "p" }
    assert.result(result).needsAttention("unknown_start")
    fails("should need attention %(overdue%)", function() assert.result(result).needsAttention("overdue") end)
    fails("should have SUCCEEDED", function() assert.result(result).succeeded() end)
  end)
end)
