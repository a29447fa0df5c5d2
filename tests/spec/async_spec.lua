-- Asynchronous without looking so: what waits, deadlines, and what the libraries do inside hooks.
local support = require "support"

local hexed = "local function plain(hex) return (string.gsub(hex, '%x%x', function(two) return string.char(tonumber(two, 16)) end)) end\n"

describe("a hook that waits", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  -- Runs code in executeBackup and gives back what it spied as "x"; fails if the hook did.
  local function inHook(code, declaration)
    rt:provider("p", hexed .. "function provider.executeBackup(b, r, config) " .. code .. " end", declaration)
    rt:run("p")
    rt:advance(30)
    local result = rt:result(1)
    if result.status == "FAILED" then error(result.errorMessage, 2) end
    return unpack(rt:spied("x"))
  end

  it("does not hold up others", function()
    rt:provider("p", "function provider.executeBackup(b, r, config) sleep(config.seconds) spy('done', config.seconds) end")
    rt:create("p")
    for _, seconds in ipairs{ 30, 10, 20 } do rt:ask("backup.run", { backup = "b", config = { seconds = seconds } }) end
    rt:advance(30)
    assert.same({ 10, 20, 30 }, rt:spied("done"))
  end)

  it("sleeps for fractions of a second", function()
    rt:provider("p", "function provider.executeBackup() local a = time.now() sleep(0.25) spy('x', time.now() - a) end")
    rt:run("p")
    rt:advance(1)
    assert.same({ 250 }, rt:spied("x"))
  end)

  it("waits through pcall, iterators, sort, gsub and its own coroutines", function()
    rt:provider("p", [[
      function provider.executeBackup()
        pcall(sleep, 1)
        table.sort({ 3, 1, 2 }, function(a, b) sleep(0.1) return a < b end)
        string.gsub("abc", ".", function(c) sleep(0.1) return c end)
        local seen = {}
        for value in coroutine.wrap(function() for i = 1, 3 do sleep(0.1) coroutine.yield(i) end end) do seen[#seen + 1] = value end
        spy("x", seen)
      end]])
    rt:run("p")
    rt:advance(10)
    assert.same({ { 1, 2, 3 } }, rt:spied("x"))
  end)

  it("runs functions side by side with parallel, and gets the first value of each in order", function()
    rt:provider("p", [[
      function provider.executeBackup()
        local began = time.now()
        local a, b, c = parallel{ function() sleep(3) return "a" end, function() sleep(1) return "b" end, function() return "c" end }
        spy("x", { a, b, c, (time.now() - began) / 1000 })
      end]])
    rt:run("p")
    rt:advance(5)
    assert.same({ { "a", "b", "c", 3 } }, rt:spied("x"))
  end)

  it("has the siblings cancelled and waited for when one of parallel fails", function()
    rt:provider("p", [[
      function provider.executeBackup()
        local ok, err = pcall(parallel, { function() sleep(1) error("boom") end,
          function() local slept, why = pcall(sleep, 100) spy("sibling", { slept, why.code }) end })
        spy("x", { ok, tostring(type(err) == "table" and err.message or err) })
      end]])
    rt:run("p")
    rt:advance(5)
    assert.same({ { false, "cancelled" } }, rt:spied("sibling"))
    assert.is_false(rt:spied("x")[1][1])
    assert.matches("boom", rt:spied("x")[1][2])
  end)

  describe("past its deadline", function()
    it("sees a sticky error that it can clean up after", function()
      rt:provider("p", [[
        function provider.executeBackup()
          local ok, err = pcall(sleep, 100)
          local again = { pcall(sleep, 1) }
          spy("x", { ok, err.code, again[1], again[2].code })
        end]], "timeouts = { executeBackup = 5 }")
      rt:run("p")
      rt:advance(5)
      assert.same({ { false, "deadline", false, "deadline" } }, rt:spied("x"))
      assert.equal("FAILED", rt:result(1).status)
    end)

    it("is not success although it says so", function()
      rt:provider("p", "function provider.executeBackup() pcall(sleep, 100) return true end", "timeouts = { executeBackup = 5 }")
      rt:run("p")
      rt:advance(10)
      assert.equal("FAILED", rt:result(1).status)
    end)

    it("is given up within a slice if it goes on, and the error says where", function()
      rt:provider("p", "function provider.executeBackup() while true do pcall(sleep, 1) end end", "timeouts = { executeBackup = 5 }")
      rt:run("p")
      rt:advance(20)
      assert.equal("FAILED", rt:result(1).status)
      assert.matches("p 1%.0%.0: executeBackup: p%.lua:%d+: the deadline of the hook has passed", rt:result(1).errorMessage)
      local op = rt:ask("result.show", { result = "1", journal = true }).ops[1]
      assert.matches("stack traceback:.*p%.lua:%d+: in function", op.traceback)
    end)

    it("has what it waits for aborted: a child is ended", function()
      local real = assert(support.open{ clock = "real" })
      local file = support.folder() .. "/pid"
      local function eventually(holds)
        local ends = os.time() + 120
        while not holds() and os.time() < ends do real:pump() end
        return holds()
      end
      -- A child that has not said who it is by the deadline, on a busy machine, gets a longer one.
      for id, seconds in ipairs { 0.5, 2, 8, 32 } do
        real:provider("p" .. id, "function provider.executeBackup() process.run{ argv = { 'sh', '-c', 'echo $$ >" .. file .. "; exec sleep 600' }, safe = true } end",
          "timeouts = { executeBackup = " .. seconds .. " }, needs = { exec = { 'sh' } }")
        real:create("p" .. id, { name = "b" .. id })
        real:ask("backup.run", { backup = "b" .. id })
        assert.is_true(eventually(function() return real:ask("result.show", { result = tostring(id) }).status == "FAILED" end))
        if io.open(file) then break end
      end
      local pid = assert(io.open(file)):read("*n")
      assert.is_true(eventually(function() return os.execute("kill -0 " .. pid .. " 2>/dev/null") ~= 0 end))
    end)
  end)

  it("that loops for ever does not delay another provider, and ends at its deadline", function()
    rt:provider("loop", "function provider.executeBackup() while true do end end", "timeouts = { executeBackup = 2 }")
    rt:provider("quick", "function provider.executeBackup(b, r) sleep(0.1) spy('quick', true) r.status = 'SUCCEEDED' end")
    rt:create("loop", { name = "l" })
    rt:create("quick", { name = "q" })
    rt:ask("backup.run", { backup = "l" })
    rt:ask("backup.run", { backup = "q" })
    rt:advance(1)
    assert.same({ true }, rt:spied("quick"))
    rt:advance(10)
    assert.equal("FAILED", rt:result(1).status)
  end)

  it("that runs out of memory ends with an error, and its provider goes on", function()
    rt:provider("p", [[
      function provider.executeBackup(b, r, config)
        if config.eat then local t = {} for i = 1, 1e9 do t[i] = { i } end end
        r.status = "SUCCEEDED"
      end]])
    rt:run("p", { config = { eat = true } })
    rt:advance(900)
    assert.equal("FAILED", rt:result(1).status)
    assert.equal("SUCCEEDED", rt:run("p").status)
  end)

  describe("with http", function()
    local url, server
    before_each(function()
      server = support.server()
      url = server.url
    end)

    local function declared() return "needs = { http = { '" .. url .. "' } }" end

    it("gets an answer for every HTTP status, with headers in any case and json()", function()
      local seen = inHook(([[
        local resp = http.get(%q .. "/status/404")
        spy("x", { resp.status, resp.headers["content-type"], resp.headers["Content-Type"], resp.json().path, resp:json().method })]]):format(url), declared())
      assert.same({ 404, "application/json", "application/json", "/status/404", "GET" }, seen)
    end)

    it("sends json, form, body, query and headers", function()
      local json, form = inHook(([[
        local resp = http.post(%q .. "/j", { json = { a = { 1 } }, query = { q = "x y" }, headers = { ["X-Mark"] = "m1" } })
        local head = plain(resp.json().head)
        spy("x", { plain(resp.json().body), resp.json().path, string.match(head, "X%%-Mark: (%%w+)"), string.match(head, "Content%%-Type: ([%%w/]+)") })
        spy("x", plain(http.put(%q .. "/f", { form = { a = "1 2" } }).json().body))]]):format(url, url), declared())
      assert.same({ '{"a":[1]}', "/j?q=x%20y", "m1", "application/json" }, json)
      assert.is_true(form == "a=1%202" or form == "a=1+2")
    end)

    it("raises { code, message, retryable } when nobody answers", function()
      local seen = inHook("local ok, err = pcall(http.get, 'http://127.0.0.1:1/') spy('x', { ok, err.code, err.retryable, type(err.message) })", "needs = { http = { 'http://127.0.0.1:1' } }")
      assert.same({ false, "unreachable", true, "string" }, seen)
    end)

    it("raises when it takes too long", function()
      local seen = inHook(("local ok, err = pcall(http.get, %q .. '/wait/3000', { timeout = 0.2 }) spy('x', { ok, err.code, err.retryable })"):format(url), declared())
      assert.same({ false, "timeout", true }, seen)
    end)

    it("tries a safe request again after 503, when Retry-After says", function()
      local seen = inHook(("local began = time.now() spy('x', { http.get(%q .. '/flaky/get').status, (time.now() - began) / 1000 })"):format(url), declared())
      assert.same({ 200, 1 }, seen)
      assert.equal(2, server.count("/flaky/get"))
    end)

    it("refuses more than one body", function()
      assert.matches("only one of", (inHook(("local ok, err = pcall(http.post, %q, { json = {}, body = 'x' }) spy('x', type(err) == 'table' and err.message or err)"):format(url), declared())))
    end)

    it("names a misspelt option with the nearest", function()
      assert.matches("did you mean 'headers'", (inHook(("local ok, err = pcall(http.get, %q, { header = {} }) spy('x', type(err) == 'table' and err.message or err)"):format(url), declared())))
    end)
  end)

  describe("with process.run", function()
    local needs = "needs = { exec = { 'sh', 'cat', 'no-such-program', 'sleep' } }"

    it("gets code, signal, stdout and stderr", function()
      local seen = inHook("local out = process.run{ argv = { 'sh', '-c', 'cat; echo oops >&2; exit 3' }, stdin = 'in', safe = true } spy('x', { out.code, out.signal, out.stdout, out.stderr })", needs)
      assert.same({ 3, 0, "in", "oops\n" }, seen)
    end)

    it("gives the child the environment it is told, and not ours", function()
      local seen = inHook("local out = process.run{ argv = { 'sh', '-c', 'echo $MARK-$ORRERY_SPEC_SECRET' }, env = { MARK = 'm' }, safe = true } spy('x', out.stdout)", needs)
      assert.equal("m-\n", seen)
    end)

    it("takes argument vectors only, never a shell", function()
      assert.is_false((inHook("local ok = pcall(process.run, 'echo hi') spy('x', ok)", needs)))
    end)

    it("raises no_program for one that is not installed", function()
      assert.same({ false, "no_program" }, (inHook("local ok, err = pcall(process.run, { argv = { 'no-such-program' }, safe = true }) spy('x', { ok, err.code })", needs)))
    end)
  end)

  describe("with a session", function()
    it("opens it with the connection of the hook", function()
      rt:provider("p", [[
        local login = session{ name = "login", open = function(connection) return connection.username .. ":" .. connection.host end }
        function provider.executeBackup(b, r) spy("token", login:get() == "ada:vault") end]],
        "connectionOptionTypes = { { fieldName = 'host', inputType = 'text' } }")
      rt:ask("connection.add", { name = "c", provider = "p", config = { host = "vault", username = "ada" } })
      rt:create("p", { connection = "c" })
      rt:run("p")
      assert.same({ true }, rt:spied("token"))
    end)

    it("opens it once however many hooks wait for it, and keeps it for later hooks", function()
      rt:provider("p", [[
        local login = session{ name = "login", open = function() spy("open", true) sleep(2) return { token = "t" .. "-1" } end }
        function provider.executeBackup(b, r) spy("token", #login:get().token) end
        function provider.refreshBackupResult(r) spy("token", #login:get().token) end]])
      rt:create("p")
      for _ = 1, 3 do rt:ask("backup.run", { backup = "b" }) end
      rt:advance(70)
      assert.same({ true }, rt:spied("open"))
      assert.same({ 3, 3, 3, 3, 3, 3 }, rt:spied("token"))
    end)

    it("renews it when it is too old", function()
      rt:provider("p", [[
        local login = session{ name = "login", ttl = 30, open = function() spy("open", true) return "tok" end }
        function provider.executeBackup(b, r) login:get() end
        function provider.refreshBackupResult(r) login:get() end]])
      rt:run("p")
      rt:advance(60)
      assert.same({ true, true }, rt:spied("open"))
    end)

    it("renews it on 401 and sends the request once more", function()
      local server = support.server()
      rt:provider("p", [[
        local login = session{ name = "login", open = function() spy("open", true) return { headers = { Authorization = "Bearer t" } } end }
        function provider.executeBackup(b, r) spy("x", http.get("]] .. server.url .. [[/status/401", { session = login }).status) end]], "needs = { http = { '" .. server.url .. "' } }")
      rt:run("p")
      assert.same({ 401 }, rt:spied("x"))
      assert.same({ true, true }, rt:spied("open"))
      assert.equal(2, server.count("/status/401"))
    end)

    it("knows that nothing was begun where a start is answered 401 and then no login is to be had", function()
      local server = support.server()
      rt:provider("p", [[
        local tries = 0
        local login = session{ name = "login", open = function()
          tries = tries + 1
          if tries > 1 then error({ code = "unreachable", message = "no login today", retryable = true }, 0) end
          return { headers = { Authorization = "Bearer t" } }
        end }
        function provider.executeBackup(b, r) http.post("]] .. server.url .. [[/status/401", { session = login }) end]], "needs = { http = { '" .. server.url .. "' } }")
      rt:run("p")
      rt:advance(900)
      local result = rt:result(1)
      assert.same({ "FAILED", nil, nil }, { result.status, result.sentDate, result.attention })
      assert.matches("no login today", result.statusMessage)
      assert.equal(1, server.count("/status/401"))
    end)

    it("opens it as a safe act: no sent mark", function()
      rt:provider("p", [[
        local login = session{ name = "login", open = function() process.run{ argv = { "true" } } return "tok" end }
        function provider.executeBackup(b, r) login:get() end]], "needs = { exec = { 'true' } }")
      rt:run("p")
      assert.is_nil(rt:result(1).sentDate)
    end)

    it("survives a reload of the provider", function()
      local source = [[
        local login = session{ name = "login", open = function() spy("open", true) return "tok" end }
        function provider.executeBackup(b, r) login:get() r.status = "SUCCEEDED" end]]
      rt:provider("p", source)
      rt:run("p")
      rt:provider("p", source .. " -- edited")
      rt:run("p")
      assert.same({ true }, rt:spied("open"))
    end)

    describe("that is open", function()
      before_each(function()
        rt:provider("p", [[
          local login = session{ name = "login", open = function() return { n = 7 } end,
            close = function(value, connection) sleep(1) spy("close", { value.n, connection and connection.username }) end }
          function provider.executeBackup(b, r) login:get() sleep(5) r.status = "SUCCEEDED" end]],
          "connectionOptionTypes = { { fieldName = 'host', inputType = 'text' } }")
        rt:ask("connection.add", { name = "c", provider = "p", config = { host = "vault", username = "ada" } })
        rt:create("p", { connection = "c" })
      end)

      it("closes it when the runtime ends in order, after the last hook", function()
        rt:ask("backup.run", { backup = "b" })
        rt:advance(1)
        support.raw.drain(rt.handle)
        rt:advance(2)
        assert.same({}, rt:spied("close"))
        assert.is_false(support.raw.isIdle(rt.handle))
        rt:advance(60)
        assert.is_true(support.raw.isIdle(rt.handle))
        assert.same({ { 7, "ada" } }, rt:spied("close"))
      end)

      it("closes it when its connection is removed", function()
        rt:ask("backup.run", { backup = "b" })
        rt:advance(10)
        rt:ask("backup.rm", { backup = "b", withResults = true, force = true })
        rt:advance(10)
        assert.same({}, rt:spied("close"))
        rt:ask("connection.rm", { connection = "c" })
        rt:advance(10)
        assert.same({ { 7, "ada" } }, rt:spied("close"))
      end)
    end)
  end)

  describe("with a local job", function()
    local lasting
    before_each(function() lasting = support.openLasting() end)

    -- Virtual time stands still while a job is young, so this waits in real time.
    local function untilEnded()
      for _ = 1, 1000 do
        lasting:settle()
        local status = lasting:ask("result.show", { result = "1" }).status
        if status ~= "IN_PROGRESS" and status ~= "INITIALIZING" then return status end
        os.execute("sleep 0.05")
        lasting:advance(0.05)
      end
    end

    it("makes its result due at once when the job ends", function()
      lasting:provider("p", [[
        function provider.executeBackup(b, r) job.start{ name = "j", argv = { "sh", "-c", "echo line; sleep 0.2; exit 0" } } end
        function provider.refreshBackupResult(r)
          local state = job.poll("j")
          if state.state == "ended" then r.status = state.code == 0 and "SUCCEEDED" or "FAILED" r.errorOutput = job.tail("j") end
        end]], "refreshInterval = 3600, needs = { exec = { 'sh' } }")
      lasting:run("p")
      assert.equal("SUCCEEDED", untilEnded())
      assert.equal("line", lasting:result(1).errorOutput)
      assert.is_true(lasting:now() < 1767225600000 + 60000)
      assert.equal("line\n", lasting:ask("result.log", { result = "1" }).jobs[1].text)
    end)

    it("starts it once by name, however often it is asked", function()
      local file = support.folder() .. "/starts"
      lasting:provider("p", [[
        function provider.executeBackup(b, r)
          for _ = 1, 3 do job.start{ name = "j", argv = { "sh", "-c", "echo x >>]] .. file .. [[" } } end
        end
        function provider.refreshBackupResult(r) if job.poll("j").state == "ended" then r.status = "SUCCEEDED" end end]], "needs = { exec = { 'sh' } }")
      lasting:run("p")
      untilEnded()
      local lines = 0
      for _ in io.lines(file) do lines = lines + 1 end
      assert.equal(1, lines)
    end)

    it("is no mutating act: no sent mark, and executeBackup can always be run again", function()
      lasting:provider("p", "function provider.executeBackup(b, r) job.start{ name = 'j', argv = { 'true' } } end", "needs = { exec = { 'true' } }")
      lasting:run("p")
      assert.is_nil(lasting:result(1).sentDate)
    end)
  end)

  it("has the runtime's clock and seed in os.time and math.random", function()
    local one = { inHook("spy('x', { os.time(), math.random(1, 1000000) })") }
    rt = assert(support.open())
    local two = { inHook("spy('x', { os.time(), math.random(1, 1000000) })") }
    assert.equal(1767225600, one[1][1])
    assert.same(one, two)
  end)

  it("has json.null, json that keeps big integers, base64, hash, hmac, url, uuid and time", function()
    local seen = inHook([[
      spy("x", { json.encode({ a = json.null }), json.decode("[9007199254740993]")[1], base64.encode("hi"), base64.decode("aGk="), hash.sha256("abc"),
        hmac.sha256("key", "abc"), url.encode("a b/c"), #uuid.new(), time.format(0), time.parse("2026-01-01T00:00:00Z"), time.seconds("1h30m") })]])
    assert.same({ '{"a":null}', "9007199254740993", "aGk=", "hi", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                  "9c196e32dc0175f86f4b1cb89289d6619de6bee699e4c378e68309ed97a1a6ab", "a%20b%2Fc", 36, "1970-01-01T00:00:00Z", 1767225600000, 5400 }, seen)
  end)
end)
