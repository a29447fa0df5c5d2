-- A deletion that was asked for goes on until it has happened, is refused, or has used up its attempts: also after a restart.
local support = require "support"

local ends = "function provider.executeBackup(b, r) r.externalId = 'snap-1' r.status = 'SUCCEEDED' end\n"
-- Until the budget is spent: two quick attempts, then a minute, doubled up to a quarter of an hour.
local HOURS = 3 * 3600

for _, kind in ipairs{ "result", "backup" } do
  local isResult = kind == "result"
  local hook = isResult and "deleteBackupResult" or "deleteBackup"
  local request = isResult and "result.rm" or "backup.rm"
  local args = isResult and { result = "1" } or { backup = "b" }

  describe("the deletion of a " .. kind .. " that its provider cannot do yet", function()
    local rt
    before_each(function() rt = support.openLasting() end)
    after_each(support.clean)

    local function with(more)
      local all = {}
      for key, value in pairs(args) do all[key] = value end
      for key, value in pairs(more or {}) do all[key] = value end
      return all
    end

    --- Its hook answers `code` until the attempt `works` (never, where it is nil).
    local function given(code, works)
      rt:provider("p", ends .. ("function provider.%s(o, opts) spy('attempt', opts.attempt) spy('own', opts.own) if opts.attempt < %d then %s end return true end")
        :format(hook, works or 1000, code), ("timeouts = { %s = 5 }"):format(hook))
      if isResult then rt:run("p") else rt:create("p") end
    end

    local function isThere() return #rt:ask(isResult and "result.ls" or "backup.ls") == 1 end
    local function shown()
      if isResult then return rt:result(1) end
      return rt:ask("backup.show", { backup = "b" })
    end

    for what, code in pairs{ ["a retry"] = "return ServiceResponse.retry('no route')", ["an error"] = "error('no route')" } do
      it("stays pending after " .. what .. ": whoever asked is told so after three attempts, and it goes on", function()
        given(code, 6)
        local _, err = rt:requestOverTime(request, args)
        assert.matches("no route.*stays pending and is asked again", err.message)
        assert.equal(3, #rt:spied("attempt"))
        assert.matches("no route", shown().deleteMessage)
        assert.is_nil(shown().attention)
        rt:advance(60)
        assert.equal(4, #rt:spied("attempt"))
        rt:advance(119)
        assert.equal(4, #rt:spied("attempt"))
        rt:advance(1 + 240)
        assert.same({ 1, 2, 3, 4, 5, 6 }, rt:spied("attempt"))
        assert.is_false(isThere())
      end)
    end

    it("is asked again when the retry says", function()
      given("return ServiceResponse.retry('busy', { after = 7 })", 5)
      rt:requestOverTime(request, args)
      rt:advance(7)
      rt:advance(7)
      assert.equal(5, #rt:spied("attempt"))
      assert.is_false(isThere())
    end)

    it("ends in attention when the budget is spent, and the record stays usable", function()
      given("error('no route')")
      rt:requestOverTime(request, args)
      rt:advance(HOURS)
      assert.equal(10, #rt:spied("attempt"))
      assert.equal("delete_failing", shown().attention)
      assert.equal(1, #rt:ask("status")[isResult and "attention" or "attentionBackups"])
      rt:advance(HOURS)
      assert.equal(10, #rt:spied("attempt"))
      if not isResult then assert.equal("SUCCEEDED", rt:run("p").status) end
    end)

    it("can be asked for anew then", function()
      given("error('no route')")
      rt:requestOverTime(request, args)
      rt:advance(HOURS)
      rt:provider("p", ends .. "function provider." .. hook .. "(o, opts) spy('anew', opts.attempt) return true end")
      assert(rt:request(request, args))
      assert.same({ 1 }, rt:spied("anew"))
      assert.is_false(isThere())
    end)

    it("by force drops the record at any time", function()
      given("error('no route')")
      rt:requestOverTime(request, args)
      assert(rt:request(request, with{ force = true }))
      assert.is_false(isThere())
      rt:advance(HOURS)
      assert.equal(3, #rt:spied("attempt"))
    end)

    it("ends at a halt, and the record stays usable", function()
      given("if opts.attempt < 4 then error('no route') end return false, 'locked'")
      rt:requestOverTime(request, args)
      rt:advance(60)
      assert.same({ 4, nil, nil, nil }, { #rt:spied("attempt"), shown().attention, shown().nextAction, shown().deleteDate })
      rt:advance(HOURS)
      assert.equal(4, #rt:spied("attempt"))
      assert.is_nil(shown().deleteMessage)
      if not isResult then assert.equal("SUCCEEDED", rt:run("p").status) end
    end)

    it("goes on after a restart, with the opts that were given", function()
      given("error('no route')", 5)
      rt:requestOverTime(request, with{ opts = { own = "o" } })
      rt:reopen()
      rt:advance(60)
      rt:advance(120)
      assert.same({ 1, 2, 3, 4, 5 }, rt:spied("attempt"))
      assert.same({ "o", "o", "o", "o", "o" }, rt:spied("own"))
      assert.is_false(isThere())
    end)

    it("goes on after a death in the midst of the hook", function()
      given("sleep(4) return true")
      rt:submit(request, args)
      rt:settle()
      assert.same({ 1 }, rt:spied("attempt"))
      rt:reopen()
      assert.same({ 1, 1 }, rt:spied("attempt")) -- our death is no error of the other side
      assert.is_true(isThere())
      rt:advance(4)
      assert.is_false(isThere())
    end)

    it("waits for a provider that is not there, and ends in attention if it does not come", function()
      given("error('no route')")
      rt:requestOverTime(request, args)
      rt.sources = {}
      rt:reopen()
      rt:advance(HOURS)
      assert.equal("delete_failing", shown().attention)
    end)

    if not isResult then
      it("starts nothing meanwhile", function()
        given("error('no route')")
        rt:ask("backup.update", { backup = "b", schedule = "* * * * *" })
        rt:requestOverTime(request, args)
        assert.matches("being removed", rt:refused("backup.run", { backup = "b" }).message)
        rt:reopen()
        assert.matches("being removed", rt:refused("backup.run", { backup = "b" }).message)
        rt:advance(600)
        assert.same({}, rt:ask("result.ls"))
        rt:advance(HOURS)
        assert.is_true(#rt:ask("result.ls") > 0)
      end)
    else
      it("is no business of resolve, which says what is", function()
        given("error('no route')")
        rt:requestOverTime(request, args)
        rt:advance(HOURS)
        assert.matches("only its deletion does not work", rt:refused("result.resolve", { result = "1", retry = true }).message)
      end)

      it("is as good for one that waits for somebody: it keeps what that was about", function()
        rt:provider("p", "function provider.executeBackup() process.run{ argv = { 'true' } } error('lost') end\n" ..
          "function provider.deleteBackupResult(r, opts) spy('attempt', opts.attempt) if opts.attempt < 5 then error('no route') end return true end",
          "needs = { exec = { 'true' } }")
        rt:run("p")
        rt:requestOverTime(request, args)
        assert.equal("unknown_start", shown().attention)
        rt:reopen()
        rt:advance(60)
        assert.equal(4, #rt:spied("attempt"))
        assert.equal("unknown_start", shown().attention)
        rt:advance(120)
        assert.is_false(isThere())
      end)
    end
  end)
end
