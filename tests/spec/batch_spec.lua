-- refreshBackupResults: one call for all due results of one connection.
local support = require "support"

describe("refreshBackupResults", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function start(count, backup)
    for _ = 1, count do rt:ask("backup.run", { backup = backup or "b" }) end
    rt:settle()
  end

  local batch = [[
    function provider.refreshBackupResults(results)
      local ids = {}
      for i, r in ipairs(results) do ids[i] = r.id end
      spy("batch", ids)
    end
  ]]

  it("gets all results that are due in one call, in place of the single hook", function()
    rt:provider("p", support.starts .. batch .. "function provider.refreshBackupResult() spy('single', true) end")
    rt:create("p")
    start(3)
    rt:advance(60)
    assert.equal(1, #rt:spied("batch"))
    table.sort(rt:spied("batch")[1])
    assert.equal(3, #rt:spied("batch")[1])
    assert.same({}, rt:spied("single"))
  end)

  it("is called again every interval for those that have not ended, and never for those that have", function()
    rt:provider("p", support.starts .. [[
      function provider.refreshBackupResults(results)
        spy("count", #results)
        for _, r in ipairs(results) do if r.id == 1 then r.status = "SUCCEEDED" end end
      end]])
    rt:create("p")
    start(3)
    rt:advance(180)
    assert.same({ 3, 2, 2 }, rt:spied("count"))
    assert.same({ "SUCCEEDED", "IN_PROGRESS" }, { rt:result(1).status, rt:result(2).status })
  end)

  it("has failure per result, by status", function()
    rt:provider("p", support.starts .. [[
      function provider.refreshBackupResults(results)
        for _, r in ipairs(results) do
          if r.id == 1 then r.status = "FAILED" r.errorMessage = "disk full there" end
          if r.id == 2 then r.status = "SUCCEEDED" end
        end
      end]])
    rt:create("p")
    start(3)
    rt:advance(60)
    assert.same({ "FAILED", "SUCCEEDED", "IN_PROGRESS" }, { rt:result(1).status, rt:result(2).status, rt:result(3).status })
    assert.equal("disk full there", rt:result(1).errorMessage)
  end)

  for what, code in pairs{ ["false"] = "return false, 'the list is empty'", ["ServiceResponse.error"] = "return ServiceResponse.error('down')",
                           ["a raised error"] = "error('boom')", ["retry"] = "return ServiceResponse.retry('busy')" } do
    it("answered by " .. what .. " is transient for all", function()
      rt:provider("p", support.starts .. [[
        local n = 0
        function provider.refreshBackupResults(results)
          n = n + 1
          spy("count", #results)
          if n == 1 then ]] .. code .. [[ end
          for _, r in ipairs(results) do r.status = "SUCCEEDED" end
        end]])
      rt:create("p")
      start(2)
      rt:advance(60)
      assert.same({ "IN_PROGRESS", 1 }, { rt:result(1).status, rt:result(1).errorCount })
      assert.same({ "IN_PROGRESS", 1 }, { rt:result(2).status, rt:result(2).errorCount })
      rt:advance(300)
      assert.same({ "SUCCEEDED", "SUCCEEDED" }, { rt:result(1).status, rt:result(2).status })
    end)
  end

  it("that goes wrong ten times in a row needs attention, result by result", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResults(results) return false end", "refreshInterval = 1")
    rt:create("p")
    start(2)
    rt:advance(6 * 3600)
    assert.same({ "refresh_failing", "refresh_failing" }, { rt:result(1).attention, rt:result(2).attention })
  end)

  it("is one call per connection", function()
    rt:provider("p", support.starts .. [[
      function provider.refreshBackupResults(results)
        local names = {}
        for i, r in ipairs(results) do names[i] = r.backup.backupProvider.name end
        spy("names", names)
      end]])
    for _, name in ipairs{ "east", "west" } do
      rt:ask("connection.add", { name = name, provider = "p" })
      rt:create("p", { name = "b-" .. name, connection = name })
      start(2, "b-" .. name)
    end
    rt:advance(60)
    local names = rt:spied("names")
    table.sort(names, function(a, b) return a[1] < b[1] end)
    assert.same({ { "east", "east" }, { "west", "west" } }, names)
  end)

  it("gets at most 500 results a call", function()
    rt:provider("p", "function provider.executeBackup() end\nfunction provider.refreshBackupResults(results) spy('count', #results) end")
    rt:create("p")
    start(501)
    rt:advance(60)
    local total = 0
    for _, count in ipairs(rt:spied("count")) do
      assert.is_true(count <= 500)
      total = total + count
    end
    assert.equal(501, total)
    assert.is_true(#rt:spied("count") <= 3)
  end)

  it("is interrupted by a cancel of one of its results, and goes on for the others", function()
    rt:provider("p", support.starts .. [[
      function provider.refreshBackupResults(results) spy("count", #results) sleep(30) for _, r in ipairs(results) do r.status = "SUCCEEDED" end end
      function provider.cancelBackup(r) spy("cancel", r.id) return true end]], "timeouts = { refreshBackupResults = 600 }")
    rt:create("p")
    start(2)
    rt:advance(61)
    local id = rt:submit("result.cancel", { result = "1" })
    rt:settle()
    assert.same({ 1 }, rt:spied("cancel"))
    assert.is_true(rt:isAnswered(id))
    rt:advance(300)
    assert.same({ "SUCCEEDED", "SUCCEEDED" }, { rt:result(1).status, rt:result(2).status })
  end)

  it("gives each result its Backup, server and configuration to walk along", function()
    rt:provider("p", support.starts .. [[
      function provider.refreshBackupResults(results)
        for _, r in ipairs(results) do spy("seen", { r.backup.name, r.backup:getConfigProperty("path"), r.computeServer and r.computeServer.name or "none" }) end
      end]], "optionTypes = { { fieldName = 'path' } }")
    rt:ask("server.add", { name = "s" })
    rt:create("p", { name = "one", config = { path = "/1" }, server = "s" })
    rt:create("p", { name = "two", config = { path = "/2" } })
    start(1, "one")
    start(1, "two")
    rt:advance(60)
    local seen = rt:spied("seen")
    table.sort(seen, function(a, b) return a[1] < b[1] end)
    assert.same({ { "one", "/1", "s" }, { "two", "/2", "none" } }, seen)
  end)
end)
