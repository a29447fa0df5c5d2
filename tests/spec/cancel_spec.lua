-- cancelBackup, and one hook per result at a time.
local support = require "support"

describe("a cancel", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function cancel(more)
    local args = { result = "1" }
    for key, value in pairs(more or {}) do args[key] = value end
    return rt:request("result.cancel", args)
  end

  local accepts = "function provider.cancelBackup(r, opts) spy('cancel', r.status) return true, 'stopping' end\n"

  it("calls cancelBackup on request", function()
    rt:provider("p", support.starts .. accepts)
    rt:run("p")
    local reply = assert(cancel())
    assert.same({ "CANCEL_REQUESTED" }, rt:spied("cancel"))
    assert.same({ "CANCEL_REQUESTED", 1 }, { reply.result.status, reply.result.id })
  end)

  it("tells the msg of cancelBackup to whoever asked", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup() return ServiceResponse.success(nil, 'stopping') end")
    rt:run("p")
    assert.equal("stopping", assert(cancel()).msg)
  end)

  it("stays CANCEL_REQUESTED until a refresh reports how it really ended", function()
    rt:provider("p", support.starts .. accepts .. [[
      local n = 0
      function provider.refreshBackupResult(r)
        n = n + 1
        if n == 1 then r.status = "IN_PROGRESS" end
        if n == 3 then r.status = "CANCELLED" end
      end]])
    rt:run("p")
    assert(cancel())
    rt:advance(1)
    assert.equal("CANCEL_REQUESTED", rt:result(1).status)
    rt:advance(60)
    assert.equal("CANCEL_REQUESTED", rt:result(1).status)
    rt:advance(60)
    assert.equal("CANCELLED", rt:result(1).status)
  end)

  it("may end as SUCCEEDED: the external system was quicker", function()
    rt:provider("p", support.starts .. accepts .. "function provider.refreshBackupResult(r) r.status = 'SUCCEEDED' end")
    rt:run("p")
    assert(cancel())
    rt:advance(60)
    assert.equal("SUCCEEDED", rt:result(1).status)
  end)

  it("that cancelBackup reports as ended at once has ended", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup(r) r.status = 'CANCELLED' return true end")
    rt:run("p")
    assert.equal("CANCELLED", assert(cancel()).result.status)
    assert.is_nil(rt:result(1).nextAction)
  end)

  it("does not record a warning when a refresh goes on reporting progress", function()
    rt:provider("p", support.starts .. accepts .. "function provider.refreshBackupResult(r) r.status = 'IN_PROGRESS' end")
    rt:run("p")
    assert(cancel())
    rt:advance(120)
    assert.same({}, rt:events("provider.warning", 1))
  end)

  it("is not cancelled by false: the status before returns, msg goes to whoever asked, refreshing goes on", function()
    rt:provider("p", support.starts .. [[
      function provider.cancelBackup() return false, "too late for that" end
      function provider.refreshBackupResult(r) spy("refresh", r.status) end]])
    rt:run("p")
    local _, err = cancel()
    assert.equal("halted", err.code)
    assert.matches("too late for that", err.message)
    assert.equal("IN_PROGRESS", rt:result(1).status)
    rt:advance(60)
    assert.same({ "IN_PROGRESS" }, rt:spied("refresh"))
  end)

  it("is asked again after a raised error", function()
    rt:provider("p", support.starts .. [[
      function provider.cancelBackup(r, opts)
        spy("attempt", opts.attempt)
        if opts.attempt < 3 then error("boom") end
        return true
      end]])
    rt:run("p")
    local reply = assert(rt:requestOverTime("result.cancel", { result = "1" }, 60))
    assert.same({ 1, 2, 3 }, rt:spied("attempt"))
    assert.equal("CANCEL_REQUESTED", reply.result.status)
  end)

  it("is asked again after a timeout", function()
    rt:provider("p", support.starts .. [[
      function provider.cancelBackup(r, opts)
        spy("attempt", opts.attempt)
        if opts.attempt == 1 then sleep(100) end
        return true
      end]], "timeouts = { cancelBackup = 5 }")
    rt:run("p")
    assert(rt:requestOverTime("result.cancel", { result = "1" }, 60))
    assert.same({ 1, 2 }, rt:spied("attempt"))
  end)

  it("that keeps going wrong is given up: the status before returns", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup() error('boom') end")
    rt:run("p")
    local _, err = rt:requestOverTime("result.cancel", { result = "1" }, 100)
    assert.matches("boom", err.message)
    assert.equal("IN_PROGRESS", rt:result(1).status)
  end)

  it("must be answered: a forgotten return cancels nothing", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup() end")
    rt:run("p")
    local _, err = rt:requestOverTime("result.cancel", { result = "1" }, 100)
    assert.equal("provider", err.code)
    assert.matches("cancelBackup.*returned nothing", err.message)
    assert.equal("IN_PROGRESS", rt:result(1).status)
  end)

  it("is refused where the provider has no cancelBackup: this provider cannot cancel", function()
    rt:provider("p", support.starts)
    rt:run("p")
    local _, err = cancel()
    assert.equal("refused", err.code)
    assert.equal(5, err.exit)
    assert.matches("cannot cancel", err.message)
    assert.equal("IN_PROGRESS", rt:result(1).status)
  end)

  it("is refused where the provider has no cancelBackup, for what was marked as sent too", function()
    rt:provider("p", "function provider.executeBackup(b, r) process.run{ argv = { 'true' } } end", "needs = { exec = { 'true' } }")
    rt:run("p")
    local _, err = cancel()
    assert.matches("cannot cancel", err.message)
    assert.equal("IN_PROGRESS", rt:result(1).status)
  end)

  it("of a result that has ended is refused", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
    rt:run("p")
    local _, err = cancel()
    assert.equal("refused", err.code)
    assert.matches("SUCCEEDED", err.message)
  end)

  it("has what cancelBackup wrote kept, whatever it answered", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup(r) r.internalId = 'cancel-1' return false, 'no' end")
    rt:run("p")
    cancel()
    assert.equal("cancel-1", rt:result(1).internalId)
  end)

  describe("during a hook", function()
    it("records CANCEL_REQUESTED at once, and calls cancelBackup next", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) process.run{ argv = { "true" } } sleep(10) r.externalId = "x" spy("order", "executed") end
        function provider.cancelBackup(r) spy("order", "cancel") spy("seen", r.externalId) return true end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      rt:advance(2)
      local id = rt:submit("result.cancel", { result = "1" })
      rt:settle()
      assert.equal("CANCEL_REQUESTED", rt:result(1).status)
      assert.is_false(rt:isAnswered(id))
      assert.same({}, rt:spied("order"))
      rt:advance(8)
      assert.same({ "executed", "cancel" }, rt:spied("order"))
      assert.same({ "x" }, rt:spied("seen"))
      assert.equal("CANCEL_REQUESTED", assert(rt:await(id)).result.status)
    end)

    it("is not overwritten by a non-terminal status of that hook", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) process.run{ argv = { "true" } } sleep(10) r.status = "IN_PROGRESS" r:save() sleep(10) end
        function provider.cancelBackup(r) return true end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      rt:submit("result.cancel", { result = "1" })
      rt:advance(11)
      assert.equal("CANCEL_REQUESTED", rt:result(1).status)
      rt:advance(10)
      assert.equal("CANCEL_REQUESTED", rt:result(1).status)
    end)

    it("gives way to a terminal status of that hook", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) process.run{ argv = { "true" } } sleep(10) r.status = "SUCCEEDED" end
        function provider.cancelBackup(r) spy("cancel", true) return true end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      local id = rt:submit("result.cancel", { result = "1" })
      rt:advance(10)
      assert.equal("SUCCEEDED", assert(rt:await(id)).result.status)
      assert.same({}, rt:spied("cancel"))
    end)

    it("interrupts a waiting refresh", function()
      rt:provider("p", support.starts .. [[
        function provider.refreshBackupResult(r) local ok, err = pcall(sleep, 50) spy("refresh", { ok, err and err.code }) end
        function provider.cancelBackup(r) spy("cancel", time.now()) return true end]])
      rt:run("p")
      rt:advance(65)
      local asked = rt:now()
      assert(cancel())
      assert.same({ { false, "cancelled" } }, rt:spied("refresh"))
      assert.same({ asked }, rt:spied("cancel"))
    end)

    it("returns the status that was before it if cancelBackup says no", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r) process.run{ argv = { "true" } } sleep(10) end
        function provider.cancelBackup(r) return false, "no" end
        function provider.refreshBackupResult(r) r.status = "SUCCEEDED" end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      local id = rt:submit("result.cancel", { result = "1" })
      rt:advance(10)
      local _, err = rt:await(id)
      assert.matches("no$", err.message)
      assert.equal("IN_PROGRESS", rt:result(1).status)
      rt:advance(60)
      assert.equal("SUCCEEDED", rt:result(1).status)
    end)

    it("that prepares never lets the work be sent", function()
      rt:provider("p", [[
        function provider.prepareExecuteBackup() sleep(10) end
        function provider.executeBackup() spy("executed", true) end
        function provider.cancelBackup() spy("cancel", true) return true end]])
      rt:run("p")
      local id = rt:submit("result.cancel", { result = "1" })
      rt:advance(60)
      assert.equal("CANCELLED", rt:result(1).status)
      assert.equal("CANCELLED", assert(rt:await(id)).result.status)
      assert.same({}, rt:spied("executed"))
      assert.same({}, rt:spied("cancel"))
    end)

    it("that executes but has sent nothing yet never lets the work be sent", function()
      local server = support.server()
      rt:provider("p", [[
        function provider.executeBackup(b, r) sleep(10) http.post(b:getConfigProperty("url") .. "/start") spy("posted", true) end
        function provider.cancelBackup() spy("cancel", true) return true end]],
        "optionTypes = { { fieldName = 'url' } }, needs = { http = { '${option.url}' } }")
      rt:create("p", { config = { url = server.url } })
      rt:run("p")
      local id = rt:submit("result.cancel", { result = "1" })
      rt:advance(30)
      assert.equal(0, server.count("/start"))
      assert.same({}, rt:spied("posted"))
      assert.equal("CANCELLED", rt:result(1).status)
      assert.equal("CANCELLED", assert(rt:await(id)).result.status)
      assert.same({}, rt:spied("cancel"))
    end)

    it("that starts a local job ends before the job is started", function()
      local lasting = support.openLasting()
      lasting:provider("p", [[
        function provider.executeBackup(b, r) sleep(10) job.start{ name = "j", argv = { "true" } } end
        function provider.cancelBackup() return true end]], "needs = { exec = { 'true' } }")
      lasting:run("p")
      lasting:submit("result.cancel", { result = "1" })
      lasting:advance(30)
      assert.equal("CANCELLED", lasting:result(1).status)
      assert.same({}, lasting:ask("result.log", { result = "1" }).jobs)
    end)

    it("ends what was never sent although the provider cannot cancel", function()
      rt:provider("p", "function provider.executeBackup(b, r) sleep(10) return true end")
      rt:run("p")
      assert.equal("CANCELLED", assert(cancel()).result.status)
    end)

    it("that caught the refusal to send and halts is CANCELLED all the same", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r)
          pcall(sleep, 10)
          local ok, err = pcall(process.run, { argv = { "true" } })
          spy("err", { ok, err.code })
          return false, "stopped"
        end
        function provider.cancelBackup() return true end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      rt:submit("result.cancel", { result = "1" })
      rt:advance(30)
      assert.same({ { false, "cancelled" } }, rt:spied("err"))
      assert.equal("CANCELLED", rt:result(1).status)
    end)
  end)

  it("between two attempts of a start that was never sent ends it", function()
    rt:provider("p", [[
      function provider.executeBackup() spy("try", true) return ServiceResponse.retry("busy", { after = 100 }) end
      function provider.cancelBackup() spy("cancel", true) return true end]])
    rt:run("p")
    rt:advance(10)
    assert.equal("CANCELLED", assert(cancel()).result.status)
    rt:advance(1000)
    assert.equal(1, #rt:spied("try"))
    assert.same({}, rt:spied("cancel"))
  end)

  it("asked twice is one cancel after the other, and both are told", function()
    rt:provider("p", support.starts .. accepts .. "function provider.refreshBackupResult(r) if r.status == 'CANCEL_REQUESTED' then r.status = 'CANCELLED' end end")
    rt:run("p")
    local one, two = rt:submit("result.cancel", { result = "1" }), rt:submit("result.cancel", { result = "1" })
    rt:advance(5)
    assert(rt:await(one))
    assert(rt:await(two))
    assert.equal("CANCELLED", rt:result(1).status)
  end)

  it("gives cancelBackup the caller's opts", function()
    rt:provider("p", support.starts .. "function provider.cancelBackup(r, opts) spy('opts', { opts.why, opts.requestedBy }) return true end")
    rt:run("p")
    assert(cancel{ opts = { why = "maintenance" }, requestedBy = "ann" })
    assert.same({ { "maintenance", "ann" } }, rt:spied("opts"))
  end)

  it("is refreshed at once, to see how it ends", function()
    rt:provider("p", support.starts .. accepts .. "function provider.refreshBackupResult(r) spy('at', time.now()) end", "refreshInterval = 300")
    rt:run("p")
    rt:advance(10)
    assert(cancel())
    rt:advance(1)
    assert.equal(1, #rt:spied("at"))
  end)
end)

describe("one hook per result at a time", function()
  after_each(support.clean)

  it("holds for refresh, cancel, extract and delete together", function()
    local rt = assert(support.open())
    rt:provider("p", [[
      local inside = {}
      local function alone(name)
        return function(r)
          local result = name == "executeBackup" and "1" or tostring(r.id)
          spy("inside", inside[result] or 0)
          inside[result] = (inside[result] or 0) + 1
          process.run{ argv = { "true" } }
          pcall(sleep, 3)
          inside[result] = inside[result] - 1
          spy("order", name)
          if name == "extractBackup" then return ServiceResponse.success{ path = "/x" } end
          return true
        end
      end
      for _, name in ipairs{ "executeBackup", "refreshBackupResult", "cancelBackup", "extractBackup", "deleteBackupResult" } do provider[name] = alone(name) end
    ]], "refreshInterval = 2, needs = { exec = { 'true' } }")
    rt:create("p")
    rt:ask("backup.run", { backup = "b" })
    for _ = 1, 4 do
      rt:submit("result.cancel", { result = "1" })
      rt:submit("result.extract", { result = "1", destination = "/x" })
      rt:submit("result.rm", { result = "1" })
      rt:advance(5)
    end
    for _, count in ipairs(rt:spied("inside")) do assert.equal(0, count) end
    assert.is_true(#rt:spied("order") > 4)
  end)

  it("lets hooks of different results run side by side", function()
    local rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup(b, r) spy('began', time.now()) sleep(10) end")
    rt:create("p")
    for _ = 1, 3 do rt:ask("backup.run", { backup = "b" }) end
    rt:advance(10)
    local began = rt:spied("began")
    assert.same({ began[1], began[1], began[1] }, began)
    assert.equal(3, #began)
  end)
end)
