-- defer(name, args): what is registered is done when the result has ended, whatever the end was, and in spite of crashes.
local support = require "support"

describe("defer", function()
  local rt
  before_each(function() rt = support.open() end)
  after_each(support.clean)

  local cleans = [[
    function provider.cleanUp(r, name, args, opts)
      spy('cleaned', name .. ':' .. tostring(args.id) .. ':' .. r.status)
      return true
    end]]
  local function starts(execute, more, declares)
    rt:provider("p", "function provider.executeBackup(backup, r) " .. execute .. " end\n" .. cleans .. "\n" .. (more or ""), declares)
    rt:create("p")
  end

  it("runs what was registered when the result has ended, the last first", function()
    starts("defer('one', { id = 1 }); defer('two', { id = 2 }); r.status = 'SUCCEEDED'")
    rt:run("p")
    rt:advance(1)
    assert.same({ "two:2:SUCCEEDED", "one:1:SUCCEEDED" }, rt:spied("cleaned"))
    local result = rt:result(1)
    assert.same({ "SUCCEEDED" }, { result.status })
    assert.is_nil(result.nextAction)
    assert.equal(2, #rt:events("result.cleanedUp", 1))
  end)

  it("runs it after a failure, a raised error and a cancel, too", function()
    starts("defer('x', { id = backup.id }); return false, 'no'")
    rt:run("p")
    rt:provider("p", "function provider.executeBackup(backup, r) defer('x', { id = 5 }); error('boom') end\n" .. cleans)
    rt:run("p")
    rt:provider("p", support.starts .. "function provider.prepareBackupResult(r) defer('x', { id = 6 }) end\n" ..
      "function provider.cancelBackup(r) r.status = 'CANCELLED' return true end\n" .. cleans)
    rt:run("p")
    rt:ask("result.cancel", { result = "3" })
    rt:advance(1)
    assert.same({ "x:1:FAILED", "x:5:FAILED", "x:6:CANCELLED" }, rt:spied("cleaned"))
  end)

  it("does nothing before the end", function()
    starts("defer('x'); r.externalId = '1'", "function provider.refreshBackupResult(r) if time.now() > 1767225900000 then r.status = 'SUCCEEDED' end end")
    rt:run("p")
    rt:advance(200)
    assert.same({}, rt:spied("cleaned"))
    rt:advance(400)
    assert.equal(1, #rt:spied("cleaned"))
  end)

  it("tries again after an error, with back-off, and then asks for attention; a person has it tried again", function()
    starts("defer('x'); r.status = 'SUCCEEDED'",
      "function provider.cleanUp(r, name, args, opts) spy('at', opts.attempt) if r.config.mended then return true end error('unreachable') end")
    rt:run("p")
    rt:advance(7200)
    local result = rt:result(1)
    assert.same({ "SUCCEEDED", "cleanup_failing" }, { result.status, result.attention })
    assert.equal(10, #rt:spied("at"))
    rt:provider("p", "function provider.executeBackup() end\n" .. cleans)
    rt:ask("result.resolve", { result = "1", retry = true })
    rt:advance(1)
    assert.is_nil(rt:result(1).attention)
    assert.equal(1, #rt:spied("cleaned"))
  end)

  it("asks for attention at once where the clean-up says that it cannot be done", function()
    starts("defer('x'); r.status = 'SUCCEEDED'", "function provider.cleanUp() return false, 'locked' end")
    rt:run("p")
    rt:advance(1)
    assert.equal("cleanup_failing", rt:result(1).attention)
    assert.matches("locked", rt:events("result.cleanUp", 1)[1])
  end)

  it("survives the death of the runtime", function()
    rt:close()
    rt = support.openLasting()
    starts("defer('x', { id = 1 }); sleep(10); r.status = 'SUCCEEDED'", (cleans:gsub("spy", "sleep(10) spy")))
    rt:run("p")
    rt:advance(1)
    rt:reopen() -- in executeBackup, which is run again and registers it again: that is once
    rt:advance(11)
    assert.equal("SUCCEEDED", rt:result(1).status)
    rt:reopen() -- in the clean-up
    rt:advance(30)
    assert.same({ "x:1:SUCCEEDED" }, rt:spied("cleaned"))
    assert.is_nil(rt:result(1).nextAction)
  end)

  it("keeps a result from being deleted before its clean-ups are done", function()
    starts("defer('x'); r.status = 'SUCCEEDED'",
      "function provider.cleanUp() return ServiceResponse.retry('busy', { after = 100 }) end\nfunction provider.deleteBackupResult() return true end")
    rt:run("p")
    rt:advance(1)
    assert.matches("clean%-ups of result 1 are still to be done", rt:refused("result.rm", { result = "1" }).message)
    rt:ask("result.rm", { result = "1", force = true })
  end)

  it("is refused with a word on why", function()
    local function refused(code, wanted)
      starts(code)
      rt:run("p")
      rt:advance(1)
      assert.matches(wanted, rt:result(rt.last or 1).errorMessage)
    end
    refused("defer('a b')", "letters, digits")
    rt:close() rt = support.open()
    refused("defer('x', 5)", "args must be a table")
    rt:close() rt = support.open()
    refused("r.status = 'FAILED'; defer('x')", "has ended already")
    rt:close() rt = support.open()
    rt:provider("p", "function provider.executeBackup() defer('x') end")
    rt:create("p")
    rt:run("p")
    rt:advance(1)
    assert.matches("no hook cleanUp", rt:result(1).errorMessage)
  end)
end)
