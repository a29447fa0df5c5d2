-- An external system that goes wrong over HTTP, at every hook, and what the result comes to: outside.c plays it, with a ledger of the
-- work that it has done. The provider is an ordinary one, such as the README's: what it does not look at, it does not know.
local support = require "support"
local raw = support.raw

local provider = [[
local function ask(backup, method, path, body)
  local connection = backup.connection
  local reply = http.request { method = method, url = url.join(connection.serviceUrl, path), bearer = connection.serviceToken, json = body, timeout = TIMEOUT }
  if reply.status >= 500 then error("it answered " .. reply.status) end
  return reply
end

function provider.executeBackup(backup, r)
  local reply = ask(backup, "POST", "jobs", { key = r.uuid })
  if reply.status >= 400 then return false, "it refused" end
  r.externalId = reply:json().id
end

function provider.refreshBackupResult(r) r.status = ask(r.backup, "GET", "jobs/" .. r.externalId):json().state end

function provider.cancelBackup(r)
  local reply = ask(r.backup, "POST", "jobs/" .. r.externalId .. "/cancel")
  if reply.status ~= 200 then return false, "it answered " .. reply.status end
  return true
end

function provider.deleteBackupResult(r)
  local reply = ask(r.backup, "DELETE", "jobs/" .. r.externalId)
  if reply.status >= 300 and reply.status ~= 404 then return false, "it answered " .. reply.status end
  return true
end
]]
local looks = [[
function provider.recoverBackupResult(r)
  local reply = ask(r.backup, "GET", "find/" .. r.uuid)
  if reply.status == 404 then return ServiceResponse.success { found = false } end
  r.externalId = reply:json().id
  return true
end
]]

local forever = 1000000
local faults = { "reset", "500", "503", "redirect loop", "redirect away", "lost", "slow", "truncated", "garbage", "huge" }
local works = { lost = true, slow = true, truncated = true, garbage = true, huge = true } -- the work is done all the same

describe("an external system that goes wrong", function()
  local rt, outside
  before_each(function() rt = support.open() end)
  after_each(function()
    support.clean()
    raw.outsideFree()
  end)

  --- A Backup "b" on a connection to it. more: fields of the connection.
  local function set(declaration, hooks, isIdempotent, more, door)
    outside = raw.outside(isIdempotent or false)
    rt:provider("p", "local TIMEOUT = " .. (rt.isSlow and 0.3 or 30) .. "\n" .. provider .. (hooks or ""), declaration .. " refreshInterval = 5, needs = { http = { '${connection.serviceUrl}' } }")
    local config = { serviceUrl = outside[door or "plain"].url, serviceToken = "hush-hush" }
    for key, value in pairs(more or {}) do config[key] = value end
    rt:ask("connection.add", { name = "vault", provider = "p", config = config })
    rt:create("p", { connection = "vault" })
  end
  local function asked(act) return (raw.outsideCount(act)) end
  local function done(act) return (select(2, raw.outsideCount(act))) end
  local function ends(seconds)
    local step = seconds > 600 and 30 or 1
    for _ = 1, seconds, step do
      rt:advance(step)
      local result = rt:result(1)
      if result.attention or not result.nextAction then return result end
    end
    return rt:result(1)
  end

  for _, fault in ipairs(faults) do
    local isSlow = fault == "slow"

    describe("(" .. fault .. ")", function()
      before_each(function() rt.isSlow = isSlow end)

      it("at a start that can be neither repeated nor looked up: sent once, and a person decides", function()
        set("")
        raw.outsideFault("start", fault, forever)
        rt:run("p")
        local result = ends(900)
        assert.equal("unknown_start", result.attention)
        assert.same({ 1, works[fault] and 1 or 0 }, { asked("start"), done("start") })
        assert.equal(0, asked("away"))
      end)

      it("once at the start of an idempotent provider: run again, and there is one job", function()
        set("idempotent = true,", nil, true)
        raw.outsideFault("start", fault, 1)
        rt:run("p")
        local result = ends(120)
        assert.equal("SUCCEEDED", result.status)
        assert.same({ 2, 1 }, { asked("start"), done("start") })
      end)

      it("once at a start that can be looked up: adopted where the work was done, else run again", function()
        set("visibilityDelay = 2,", looks)
        raw.outsideFault("start", fault, 1)
        rt:run("p")
        local result = ends(120)
        assert.equal("SUCCEEDED", result.status)
        assert.same({ works[fault] and 1 or 2, 1 }, { asked("start"), done("start") })
      end)

      if not works[fault] then
        it("in every start that can be looked up: FAILED for certain after six, and it says why", function()
          set("visibilityDelay = 2,", looks)
          raw.outsideFault("start", fault, forever)
          rt:run("p")
          local result = ends(3000)
          assert.equal("FAILED", result.status)
          assert.matches("started 6 times, and not begun: .+", result.errorMessage)
          assert.equal(0, done("start"))
        end)
      end

      it("once or twice in a look-up: asked again, nothing is started twice", function()
        set("visibilityDelay = 2,", looks)
        raw.outsideFault("start", "lost", 1)
        raw.outsideFault("look", fault, 2)
        rt:run("p")
        local result = ends(300)
        assert.equal("SUCCEEDED", result.status)
        assert.same({ 1, 1 }, { asked("start"), done("start") })
      end)

      it("in every look-up: a person decides, nothing is started twice", function()
        set("visibilityDelay = 2,", looks)
        raw.outsideFault("start", "lost", 1)
        raw.outsideFault("look", fault, forever)
        rt:run("p")
        local result = ends(6000)
        assert.equal("unknown_start", result.attention)
        assert.same({ 1, 1 }, { asked("start"), done("start") })
      end)

      it("once in a refresh: asked again, and the end is found", function()
        set("")
        raw.outsideFault("refresh", fault, 1)
        rt:run("p")
        local result = ends(60)
        assert.equal("SUCCEEDED", result.status)
        assert.is_nil(result.statusMessage)
      end)

      it("in every refresh: the error budget ends in attention, the status stays", function()
        set("")
        raw.outsideFault("refresh", fault, forever)
        rt:run("p")
        local result = ends(9000)
        assert.same({ "IN_PROGRESS", "refresh_failing" }, { result.status, result.attention })
        assert.is_true(asked("refresh") >= 10 and asked("refresh") <= 200) -- the runtime repeats what is safe
        assert.is_false(rt:logged("hush-hush"))
      end)

      it("once in a cancel: asked again, and it ends as the outside says", function()
        set("")
        raw.outsideFault("refresh", "500", 1)
        raw.outsideFault("cancel", fault, 1)
        rt:run("p")
        local reply, err = rt:requestOverTime("result.cancel", { result = "1" }, 60)
        assert.equal(1, asked("start"))
        if fault:match("^redirect") or (fault == "garbage") then -- an answer is an answer: the provider looks at its status only
          assert.is_true((reply ~= nil) == (fault == "garbage"))
        else
          assert.is_nil(err)
        end
        local result = ends(60)
        assert.equal(done("cancel") == 1 and "CANCELLED" or "SUCCEEDED", result.status)
        assert.is_true(done("cancel") <= 1)
      end)

      it("in every cancel: whoever asked is told, the status returns, and the end is found", function()
        if fault == "garbage" then return end -- 200 with a body that nobody reads is a success
        set("")
        raw.outsideFault("refresh", "500", 1)
        raw.outsideFault("cancel", fault, forever)
        rt:run("p")
        local _, err = rt:requestOverTime("result.cancel", { result = "1" }, 60)
        assert.truthy(err)
        local result = ends(60)
        assert.equal(done("cancel") == 1 and "CANCELLED" or "SUCCEEDED", result.status)
        assert.is_nil(result.attention)
      end)

      it("once in a deletion: asked again, and the record goes when the outside has deleted it", function()
        set("")
        rt:run("p")
        assert.equal("SUCCEEDED", ends(20).status)
        raw.outsideFault("delete", fault, 1)
        local reply, err = rt:requestOverTime("result.rm", { result = "1" }, 60)
        if fault:match("^redirect") then
          assert.equal("halted", err.code)
          reply = rt:ask("result.rm", { result = "1" })
        end
        assert.equal(1, reply.removed)
        assert.equal(1, done("delete"))
        assert.same({}, rt:ask("result.ls"))
      end)

      it("in every deletion: the record stays unless the outside says that it is deleted", function()
        if fault == "garbage" then return end
        set("")
        rt:run("p")
        assert.equal("SUCCEEDED", ends(20).status)
        raw.outsideFault("delete", fault, forever)
        local _, err = rt:requestOverTime("result.rm", { result = "1" }, 60)
        assert.truthy(err)
        assert.equal("SUCCEEDED", rt:result(1).status)
      end)
    end)
  end

  for _, fault in ipairs { "429", "429 date" } do
    it("(" .. fault .. ") that says when to come again is waited for at every hook, for it has done nothing", function()
      set("visibilityDelay = 2,", looks)
      for _, act in ipairs { "start", "refresh" } do raw.outsideFault(act, fault, 1) end
      local began = rt:now()
      rt:run("p")
      assert.equal("SUCCEEDED", ends(60).status)
      assert.same({ 2, 1, 2 }, { asked("start"), done("start"), asked("refresh") })
      assert.is_true(rt:now() - began >= 6000) -- two waits of two seconds, or of what is left of five, and the interval
      raw.outsideFault("delete", fault, 1)
      assert.equal(1, rt:requestOverTime("result.rm", { result = "1" }, 60).removed)
      assert.same({ 2, 1 }, { asked("delete"), done("delete") })
    end)
  end

  it("(429 without an end) is an answer like any other in the end: an idempotent start gives up, a refresh needs attention", function()
    set("idempotent = true,", nil, true)
    raw.outsideFault("start", "429", forever)
    rt:run("p")
    local result = ends(3000)
    assert.same({ "FAILED", "it refused" }, { result.status, result.statusMessage })
    assert.same({ 4, 0 }, { asked("start"), done("start") })
  end)

  describe("(refused)", function()
    local free = "http://127.0.0.1:1"
    local function unplug(yes) rt:ask("connection.update", { connection = "vault", config = { serviceUrl = yes and free or outside.plain.url } }) end

    it("at a start: nothing has left, so it is asked again, and ends FAILED for certain", function()
      set("")
      unplug(true)
      rt:run("p")
      local result = ends(900)
      assert.equal("FAILED", result.status)
      assert.matches("refused", result.statusMessage)
      assert.is_nil(result.sentDate)
    end)

    it("for a while at a start: it is started once", function()
      set("")
      unplug(true)
      rt:run("p")
      rt:advance(8)
      unplug(false)
      assert.equal("SUCCEEDED", ends(120).status)
      assert.equal(1, asked("start"))
    end)

    it("for a while in refresh, look-up, cancel and deletion: asked again", function()
      set("visibilityDelay = 2,", looks)
      raw.outsideFault("start", "lost", 1)
      rt:run("p")
      unplug(true)
      rt:advance(10)
      unplug(false)
      assert.equal("SUCCEEDED", ends(120).status)
      unplug(true)
      local _, err = rt:requestOverTime("result.rm", { result = "1" }, 60)
      assert.matches("refused", err.message)
      unplug(false)
      assert.equal(1, rt:ask("result.rm", { result = "1" }).removed)
      assert.same({ 1, 1 }, { asked("start"), done("delete") })
    end)
  end)

  it("(redirect away) gets no request, and none of the credentials, to the other origin", function()
    set("idempotent = true,", nil, true)
    for _, act in ipairs { "start", "refresh", "cancel", "delete" } do raw.outsideFault(act, "redirect away", 2) end
    rt:run("p")
    rt:advance(1)
    rt:requestOverTime("result.cancel", { result = "1" }, 30)
    ends(120)
    rt:requestOverTime("result.rm", { result = "1" }, 30)
    assert.equal(0, asked("away"))
  end)

  it("(huge) is cut at 16 MiB, and memory does not grow with it", function()
    local function resident()
      collectgarbage()
      for line in io.lines("/proc/self/status") do
        local kib = line:match("^VmHWM:%s+(%d+)")
        if kib then return kib / 1024 end
      end
    end
    set("")
    rt:run("p")
    raw.outsideFault("refresh", "huge", 6)
    local before = resident()
    rt:advance(5)
    local once = resident()
    local result = rt:result(1)
    assert.matches("larger than 16777216 bytes", result.statusMessage)
    rt:advance(200)
    assert.is_true(once - before < 64, "one body of 100 MiB: " .. once - before .. " MiB more")
    assert.is_true(resident() - once < 16, "five more: " .. resident() - once .. " MiB more")
    assert.equal("SUCCEEDED", ends(900).status)
  end)

  describe("whose certificate", function()
    -- What proves nothing gets nothing: not the request, and not the token in it.
    local function failsWith(text)
      rt:run("p")
      local result = ends(900)
      assert.equal("FAILED", result.status)
      assert.matches(text, result.statusMessage)
      assert.is_nil(result.sentDate)
      assert.equal(0, asked("start"))
    end

    it("is its own, and not trusted: FAILED for certain, nothing has left", function()
      set("", nil, false, nil, "good")
      failsWith("self%-signed certificate")
    end)

    it("is trusted: all is well", function()
      set("", nil, false, nil, "good")
      rt:ask("connection.update", { connection = "vault", config = { caCert = outside.good.pem } })
      rt:run("p")
      assert.equal("SUCCEEDED", ends(60).status)
    end)

    it("is the pinned one: all is well, also where it has expired or is for another host", function()
      for _, door in ipairs { "good", "expired", "otherHost" } do
        set("", nil, false, nil, door)
        rt:ask("connection.update", { connection = "vault", config = { tlsFingerprint = outside[door].fingerprint } })
        rt:run("p")
        assert.equal("SUCCEEDED", ends(60).status)
        rt:close()
        rt = support.open()
      end
    end)

    it("is the pinned one at the connection's host, too, whatever its serviceUrl is", function()
      local door = raw.outside(false).otherHost
      local host, port = door.url:match("^https://(.*):(%d+)$")
      rt:provider("p", "function provider.executeBackup() spy('status', http.get('" .. door.url .. "/find/none').status) end", "needs = { http = { '${connection.host}' } }")
      rt:ask("connection.add", { name = "vault", provider = "p",
        config = { serviceUrl = "https://elsewhere.test", host = host, port = port, tlsFingerprint = door.fingerprint } })
      rt:create("p", { connection = "vault" })
      rt:run("p")
      rt:advance(30)
      assert.equal(404, rt:spied("status")[1])
    end)

    it("has expired: FAILED for certain, nothing has left", function()
      set("", nil, false, nil, "expired")
      rt:ask("connection.update", { connection = "vault", config = { caCert = outside.expired.pem } })
      failsWith("expired")
    end)

    it("is for another host: FAILED for certain, nothing has left", function()
      set("", nil, false, nil, "otherHost")
      rt:ask("connection.update", { connection = "vault", config = { caCert = outside.otherHost.pem } })
      failsWith("alternative certificate subject name")
    end)

    it("is not the pinned one: FAILED for certain, and the message has what it is", function()
      set("", nil, false, nil, "good")
      rt:ask("connection.update", { connection = "vault", config = { tlsFingerprint = outside.expired.fingerprint } })
      failsWith("not the pinned one, its SHA%-256 is " .. outside.good.fingerprint)
    end)

    it("is wrong at a look-up, a cancel, a deletion: nothing leaves, and nothing is judged", function()
      local function pin(door) rt:ask("connection.update", { connection = "vault", config = { tlsFingerprint = outside[door].fingerprint } }) end
      set("visibilityDelay = 2,", looks, false, nil, "good")
      pin("good")
      raw.outsideFault("start", "lost", 1)
      rt:run("p")
      pin("expired")
      local result = ends(6000)
      assert.equal("unknown_start", result.attention)
      assert.matches("not the pinned one", result.statusMessage)
      assert.equal(0, asked("look"))
      rt:ask("result.resolve", { result = "1", ran = result.uuid })
      local _, err = rt:requestOverTime("result.cancel", { result = "1" }, 60)
      assert.matches("not the pinned one", err.message)
      assert.equal("IN_PROGRESS", rt:result(1).status)
      pin("good")
      assert.equal("SUCCEEDED", ends(900).status)
      pin("expired")
      _, err = rt:requestOverTime("result.rm", { result = "1" }, 60)
      assert.matches("not the pinned one", err.message)
      assert.same({ 1, 0, 0 }, { asked("start"), asked("cancel"), asked("delete") })
      assert.equal("SUCCEEDED", rt:result(1).status)
    end)

    it("is wrong from the refresh on: the budget ends in attention, and a pin that is right again goes on", function()
      set("", nil, false, nil, "good")
      local function pin(door) rt:ask("connection.update", { connection = "vault", config = { tlsFingerprint = outside[door].fingerprint } }) end
      pin("good")
      raw.outsideFault("refresh", "500", 1)
      rt:run("p")
      rt:advance(6)
      pin("expired")
      local before = asked("refresh")
      local result = ends(9000)
      assert.same({ "IN_PROGRESS", "refresh_failing" }, { result.status, result.attention })
      assert.matches("not the pinned one", result.statusMessage)
      assert.equal(before, asked("refresh"))
      pin("good")
      rt:ask("result.resolve", { result = "1", ran = result.externalId })
      assert.equal("SUCCEEDED", ends(60).status)
    end)
  end)
end)
