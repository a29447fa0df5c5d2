-- What a restart finds: nothing lost, nothing twice. Closing abandons hooks in flight where they are, as a kill does.
local support = require "support"

describe("after a restart", function()
  local rt
  before_each(function() rt = support.openLasting() end)
  after_each(support.clean)

  it("Backups, results, connections, clouds and servers are as they were", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' r.sizeInBytes = 5 end", "optionTypes = { { fieldName = 'path' } }")
    rt:ask("cloud.add", { name = "c" })
    rt:ask("server.add", { name = "s", cloud = "c" })
    rt:ask("connection.add", { name = "v", provider = "p", config = { serviceUrl = "https://v" } })
    rt:create("p", { server = "s", connection = "v", config = { path = "/a" } })
    rt:run("p")
    local before = {}
    for _, request in ipairs{ "backup.ls", "result.ls", "connection.ls", "cloud.ls", "server.ls" } do before[request] = rt:ask(request) end
    rt:reopen()
    for request, rows in pairs(before) do assert.same(rows, rt:ask(request)) end
  end)

  it("executionConfig is the same, in what is run again and in what is refreshed", function()
    rt:provider("p", [[
      function provider.prepareExecuteBackup() sleep(1000) end
      function provider.executeBackup(b, r, config) spy("config", config) end]])
    rt:run("p", { config = { full = true, list = { 1, { a = "b" } } } })
    rt:provider("p", "function provider.executeBackup(b, r, config) spy('config', config) end\nfunction provider.refreshBackupResult(r) spy('config', r.executionConfig) end")
    rt:reopen()
    rt:advance(60)
    local config = { full = true, list = { 1, { a = "b" } } }
    assert.same({ config, config }, rt:spied("config"))
  end)

  it("opts of the execution hooks are the same, with what was written into them", function()
    rt:provider("p", [[
      function provider.prepareBackupResult(r, opts) opts.snapshot = "s-1" end
      function provider.executeBackup(b, r, c, cl, s, opts) spy("opts", { opts.own, opts.snapshot, opts.requestedBy }) if not r.externalId then r.externalId = "x" r:save() sleep(1000) end end]])
    rt:run("p", { opts = { own = "o" }, requestedBy = "ann" })
    rt:reopen()
    assert.same({ { "o", "s-1", "ann" }, { "o", "s-1", "ann" } }, rt:spied("opts"))
  end)

  it("the server and cloud of the run are the same", function()
    rt:provider("p", "function provider.executeBackup(b, r, c, cloud, server) spy('at', { cloud.name, server.name }) if #(r.externalId or '') == 0 then r.externalId = 'x' r:save() sleep(1000) end end")
    rt:ask("cloud.add", { name = "east" })
    rt:ask("cloud.add", { name = "west" })
    rt:ask("server.add", { name = "s", cloud = "east" })
    rt:create("p", { cloud = "west" })
    rt:run("p", { server = "s" })
    rt:reopen()
    assert.same({ { "east", "s" }, { "east", "s" } }, rt:spied("at"))
  end)

  for _, hook in ipairs{ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" } do
    it("a result that was in " .. hook .. " with nothing sent runs that hook again, and goes on", function()
      rt:provider("p", [[
        for _, name in ipairs{ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" } do
          provider[name] = function(one, two)
            spy("called", name)
            if name == "]] .. hook .. [[" then sleep(1000) end
          end
        end
        function provider.refreshBackupResult(r) r.status = "SUCCEEDED" end]])
      rt:run("p")
      local before = rt:spied("called")
      assert.equal(hook, before[#before])
      rt:provider("p", [[
        for _, name in ipairs{ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" } do provider[name] = function() spy("called", name) end end
        function provider.refreshBackupResult(r) r.status = "SUCCEEDED" end]])
      rt:reopen()
      assert.equal(hook, rt:spied("called")[#before + 1])
      rt:advance(60)
      assert.equal("SUCCEEDED", rt:result(1).status)
      assert.equal(1, #rt:ask("result.ls"))
    end)
  end

  local sent = "process.run{ argv = { 'true' } } sleep(1000)"
  local needs = "needs = { exec = { 'true' } }"

  it("a start that was sent and not answered is neither repeated nor judged: unknown_start", function()
    rt:provider("p", "function provider.executeBackup() spy('start', true) " .. sent .. " end", needs)
    rt:run("p")
    rt:reopen()
    rt:advance(3600)
    assert.equal(1, #rt:spied("start"))
    local result = rt:result(1)
    assert.equal("unknown_start", result.attention)
    assert.is_true(result.status == "START_REQUESTED" or result.status == "INITIALIZING")
    assert.is_nil(result.nextAction)
    assert.equal(1, #rt:events("result.uncertain", 1))
  end)

  it("a start that was sent runs again where the provider is idempotent, with the same uuid", function()
    rt:provider("p", "function provider.executeBackup(b, r) spy('start', r.uuid) " .. sent .. " end", "idempotent = true, " .. needs)
    local uuid = rt:run("p").uuid
    rt:provider("p", "function provider.executeBackup(b, r) spy('start', r.uuid) r.status = 'SUCCEEDED' end", "idempotent = true, " .. needs)
    rt:reopen() -- at once: our death is nothing to back off from
    assert.same({ uuid, uuid }, rt:spied("start"))
    assert.equal("SUCCEEDED", rt:result(1).status)
  end)

  it("a start that was sent is looked up, not before the visibility delay, counted from when it was sent", function()
    rt:provider("p", [[
      function provider.executeBackup() spy("start", true) ]] .. sent .. [[ end
      function provider.recoverBackupResult(r, opts) spy("look", { time.now(), opts.sentDate }) r.externalId = "found" return true end
      function provider.refreshBackupResult(r) r.status = "SUCCEEDED" end]], "visibilityDelay = 45, " .. needs)
    local began = rt:now()
    rt:run("p")
    rt:advance(20)
    rt:reopen()
    rt:advance(14)
    rt:reopen() -- a restart does not shorten the wait
    rt:advance(10)
    assert.same({}, rt:spied("look"))
    rt:advance(2)
    assert.equal(began, rt:spied("look")[1][2])
    rt:advance(120)
    assert.equal(1, #rt:spied("start"))
    assert.same({ "SUCCEEDED", "found" }, { rt:result(1).status, rt:result(1).externalId })
  end)

  it("a start that was sent and is certainly absent runs again", function()
    rt:provider("p", [[
      function provider.executeBackup() spy("start", true) ]] .. sent .. [[ end
      function provider.recoverBackupResult(r) return ServiceResponse.success{ found = false } end]], needs)
    rt:run("p")
    rt:reopen()
    rt:advance(5)
    assert.equal(2, #rt:spied("start"))
  end)

  it("a result in progress is refreshed until it ends", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult(r) spy('refresh', r.externalId) r.progress = (r.progress or 0) + 50 if r.progress >= 100 then r.status = 'SUCCEEDED' end end")
    rt:run("p")
    rt:advance(60)
    rt:reopen()
    rt:advance(120)
    assert.same({ "job-1", "job-1" }, rt:spied("refresh"))
    assert.same({ "SUCCEEDED", 100 }, { rt:result(1).status, rt:result(1).progress })
  end)

  it("a refresh that was cut is asked again", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult(r) spy('refresh', true) sleep(1000) end", "timeouts = { refreshBackupResult = 2000 }")
    rt:run("p")
    rt:advance(61)
    rt:provider("p", support.starts .. "function provider.refreshBackupResult(r) spy('refresh', true) r.status = 'SUCCEEDED' end")
    rt:reopen()
    rt:advance(60)
    assert.equal(2, #rt:spied("refresh"))
    assert.equal("SUCCEEDED", rt:result(1).status)
  end)

  it("errors in a row are still counted", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult(r) error('boom') end", "refreshInterval = 1")
    rt:run("p")
    rt:advance(4)
    local count = rt:result(1).errorCount
    assert.is_true(count >= 2)
    rt:reopen()
    assert.is_true(rt:result(1).errorCount >= count)
  end)

  it("what has ended is left alone", function()
    rt:provider("p", "function provider.executeBackup(b, r) spy('n', 1) r.status = 'SUCCEEDED' end function provider.refreshBackupResult() spy('n', 1) end")
    rt:run("p")
    rt:reopen()
    rt:advance(600)
    assert.equal(1, #rt:spied("n"))
  end)

  it("what needs attention is left alone", function()
    rt:provider("p", "function provider.executeBackup() spy('n', 1) process.run{ argv = { 'true' } } error('boom') end", needs)
    rt:run("p")
    rt:reopen()
    rt:advance(3600)
    assert.equal(1, #rt:spied("n"))
    assert.equal("unknown_start", rt:result(1).attention)
  end)

  it("a cancel that was cut is asked again", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup(r) spy('cancel', true) sleep(1000) end", "timeouts = { cancelBackup = 2000 }")
    rt:run("p")
    rt:submit("result.cancel", { result = "1" })
    rt:settle()
    rt:provider("p", support.starts .. "function provider.cancelBackup(r) spy('cancel', true) return true end\nfunction provider.refreshBackupResult(r) r.status = 'CANCELLED' end")
    rt:reopen()
    rt:advance(60)
    assert.equal(2, #rt:spied("cancel"))
    assert.equal("CANCELLED", rt:result(1).status)
  end)

  it("a cancel of what was never sent ends it", function()
    rt:provider("p", "function provider.prepareExecuteBackup() sleep(1000) end function provider.executeBackup() spy('executed', true) end")
    rt:run("p")
    rt:submit("result.cancel", { result = "1" })
    rt:settle()
    rt:reopen()
    rt:advance(60)
    assert.equal("CANCELLED", rt:result(1).status)
    assert.same({}, rt:spied("executed"))
  end)

  it("a deletion that was cut goes on", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end function provider.deleteBackupResult() sleep(800) end")
    rt:run("p")
    rt:submit("result.rm", { result = "1" })
    rt:settle()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end function provider.deleteBackupResult() return true end")
    rt:reopen()
    assert.same({}, rt:ask("result.ls")) -- pending_deletion_spec.lua has the rest
  end)

  it("a creation that was cut before anything left has left nothing: its name is free", function()
    rt:provider("p", support.starts .. "function provider.createBackup() sleep(1000) end")
    rt:submit("backup.create", { name = "b", provider = "p" })
    rt:settle()
    rt:provider("p", support.starts)
    rt:reopen()
    assert.same({}, rt:names("backup.ls"))
    assert.equal("b", rt:create("p").name)
  end)

  it("a creation that may have made something keeps its name reserved", function()
    rt:provider("p", support.starts .. "function provider.createBackup() " .. sent .. " end", needs)
    rt:submit("backup.create", { name = "b", provider = "p" })
    rt:settle()
    rt:reopen()
    assert.same({}, rt:names("backup.ls"))
    assert.equal("b", rt:ask("status").drafts[1].name)
    assert.equal("exists", rt:refused("backup.create", { name = "b", provider = "p" }).code)
  end)

  it("an extraction that was cut has changed nothing", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end function provider.extractBackup() sleep(800) end")
    rt:run("p")
    rt:submit("result.extract", { result = "1", destination = "/x" })
    rt:settle()
    rt:reopen()
    rt:advance(60)
    assert.equal("SUCCEEDED", rt:result(1).status)
    assert.same({ "done", "lost" }, { rt:result(1).ops[2].state, rt:result(1).ops[2].outcome })
  end)

  it("a provider that is gone leaves its results with attention: provider_missing", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult() end")
    rt:run("p")
    rt.sources = {}
    rt:reopen()
    rt:advance(120)
    assert.same({ "provider_missing", "IN_PROGRESS" }, { rt:result(1).attention, rt:result(1).status })
  end)

  it("a local job that went on meanwhile is found and adopted", function()
    rt:provider("p", [[
      function provider.executeBackup(b, r) job.start{ name = "j", argv = { "sh", "-c", "sleep 0.3; echo done" } } end
      function provider.refreshBackupResult(r) local s = job.poll("j") if s.state == "ended" then r.status = "SUCCEEDED" r.errorOutput = job.tail("j") end end]],
      "refreshInterval = 1, needs = { exec = { 'sh' } }")
    rt:run("p")
    rt:reopen()
    for _ = 1, 1000 do
      rt:advance(0.1)
      if rt:result(1).status == "SUCCEEDED" then break end
      os.execute("sleep 0.05")
    end
    assert.same({ "SUCCEEDED", "done" }, { rt:result(1).status, rt:result(1).errorOutput })
  end)

  it("ids are never used again", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end function provider.deleteBackupResult() return true end")
    rt:run("p")
    rt:run("p")
    rt:ask("result.rm", { result = "1" })
    rt:reopen()
    assert.equal(3, rt:run("p").id)
  end)

  it("the database is sound", function()
    rt:provider("p", support.starts)
    rt:run("p")
    rt:close()
    assert(support.raw.dbCheck(rt.settings.data_dir))
  end)
end)
