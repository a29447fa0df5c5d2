-- The same requests over a real connection and to a mock: redirects, Retry-After, what is tried again, and what is not. Run by ../policy.sh.
local test = require "orrery.test"
local json = require "orrery.json"
local session = require "orrery.session"
local mock, run = test.mock, test.run

local later = { ["Retry-After"] = "0" }
local function to(status, location) return { status = status, headers = { Location = location }, body = "moved" } end
local good = { status = 200, body = "here" }
local function times(count, reply)
  local all = {}
  for i = 1, count do all[i] = reply end
  return all
end

-- name = { request, replies in order }; the path is /NAME/first. HERE is the origin.
local cases = {
  plain = { { method = "GET" }, { good } },
  absolute = { { method = "GET" }, { to(302, "/absolute/second"), good } },
  relative = { { method = "GET" }, { to(307, "second"), good } },
  up = { { method = "GET" }, { to(301, "../up/second?a=1"), good } },
  query = { { method = "GET" }, { to(302, "?x=1"), good } },
  whole = { { method = "GET" }, { to(308, "HERE/whole/second"), good } },
  sameHost = { { method = "GET" }, { to(302, "//127.0.0.1:PORT/sameHost/second"), good } },
  away = { { method = "GET" }, { to(302, "http://localhost:PORT/away/second"), good } },
  nowhere = { { method = "GET" }, { { status = 302, body = "moved" } } },
  several = { { method = "GET" }, { to(300, "/several/second") } },
  proxy = { { method = "GET" }, { to(305, "/proxy/second") } },
  unchanged = { { method = "GET" }, { to(304, "/unchanged/second") } },
  endless = { { method = "GET" }, { to(302, "/endless/again") } },
  post = { { method = "POST", body = "b" }, { to(302, "/post/second") } },
  safePost = { { method = "POST", body = "b", safe = true }, { to(302, "/safePost/second"), good } },
  safePostMoved = { { method = "POST", body = "b", safe = true }, { to(301, "/safePostMoved/second"), good } },
  safePostKept = { { method = "POST", body = "b", safe = true }, { to(307, "/safePostKept/second"), good } },
  safePut = { { method = "PUT", body = "b", safe = true }, { to(302, "/safePut/second"), good } },
  safePutSeen = { { method = "PUT", body = "b", safe = true }, { to(303, "/safePutSeen/second"), good } },
  head = { { method = "HEAD" }, { to(303, "/head/second"), good } },
  headFound = { { method = "HEAD" }, { to(302, "/headFound/second"), good } },
  empty = { { method = "DELETE" }, { { status = 204, body = "none" } } },
  busy = { { method = "GET" }, { { status = 503, body = "busy" } } },
  busyAWhile = { { method = "GET" }, { { status = 503, headers = later }, good } },
  busyPost = { { method = "POST" }, { { status = 503, headers = later, body = "busy" } } },
  busySafePost = { { method = "POST", safe = true, body = "b" }, { { status = 503, headers = later }, good } },
  tooMany = { { method = "POST", body = "b" }, { { status = 429, headers = later }, good } },
  tooManyForLong = { { method = "GET", timeout = 30 }, { { status = 429, headers = { ["Retry-After"] = "60" }, body = "busy" } } },
  tooManyForever = { { method = "GET" }, { { status = 429, body = "busy" } } },
  tooManyTimes = { { method = "POST", body = "b" }, { { status = 429, headers = later, body = "busy" } } },
  someTime = { { method = "GET" }, { { status = 503, headers = { ["Retry-After"] = "some time" } }, good } },
  otherwise = { { method = "GET" }, { { status = 500, headers = later, body = "broken" } } },
  cut = { { method = "GET" }, { "reset", good } },
  cutPost = { { method = "POST" }, { "reset" } },
  cutSafePost = { { method = "POST", safe = true, body = "b" }, { "reset", good } },
  cutAgain = { { method = "GET" }, times(4, "reset") },
  short = { { method = "GET" }, { { status = 200, body = "he", truncated = true }, good } },
  shortPost = { { method = "POST" }, { { status = 200, body = "he", truncated = true } } },
  cutAndMoved = { { method = "GET" }, { "reset", to(302, "/cutAndMoved/second"), { status = 503, headers = later }, good } },
}

local port = os.getenv "POLICY_PORT"
local origin = "http://127.0.0.1:" .. (port or "1")

local function placed(replies, at)
  return (json.decode((json.encode(replies):gsub("HERE", origin):gsub("PORT", at))))
end

-- ---- the two outsides --------------------------------------------------------------------------------------------

local function mocked(name, replies)
  local api, number = mock.http(origin), 0
  api:on("ANY /*", function()
    number = number + 1
    local reply = replies[math.min(number, #replies)]
    if reply == "reset" then return mock.fault.reset { processed = true } end
    if reply.truncated then return mock.fault.truncated() end
    return { status = reply.status, headers = reply.headers, body = reply.body }
  end)
  return function()
    local asked = {}
    for i, request in ipairs(api.requests) do
      local path = request.url:gsub("^http://[^/]*", "")
      asked[i] = { request.method, path, request.body or "" }
    end
    return asked
  end
end

local function real(name)
  return function()
    local asked = {}
    for line in io.lines "asked.log" do
      local row = json.decode(line)
      if row[1] == name then table.insert(asked, { row[2], row[3], row[4] }) end
    end
    return asked
  end
end

-- ---- the request -------------------------------------------------------------------------------------------------

local source = [[
  local provider = Provider { apiVersion = 1, code = "p", name = "P", version = "1", needs = { http = { "%s" } } }
  function provider.executeBackup(backup, backupResult, config)
    local ok, reply = pcall(http.request, config.request)
    backupResult.statusMessage = ok and reply.status .. " " .. reply.body or reply.code .. (reply.wasSent and " sent" or "")
    backupResult.status = "SUCCEEDED"
  end
  return provider]]

local function ask(name, request)
  assert(test.provider("p", source:format(origin)))
  local wanted = { url = origin .. "/" .. name .. "/first" }
  for key, value in pairs(request) do wanted[key] = value end
  return run.backup({ provider = "p", delete = false, config = { request = wanted } }).statusMessage
end

local function finish()
  session.world:finish()
  session.world = nil
end

if os.getenv "POLICY_WRITE" then
  -- The server is told what it answers: its own port is put in by itself.
  it("is written down", function()
    local all = {}
    for name, case in pairs(cases) do all[name] = case[2] end
    local file = assert(io.open(os.getenv "POLICY_WRITE", "w"))
    file:write(json.encode(all))
    file:close()
  end)
  return
end

local names = {}
for name in pairs(cases) do table.insert(names, name) end
table.sort(names)

describe("over a connection and to a mock", function()
  for _, name in ipairs(names) do
    it("is the same: " .. name, function()
      local request, replies = cases[name][1], placed(cases[name][2], port)
      local asked = mocked(name, replies)
      local mine = { said = ask(name, request), asked = asked() }
      finish()
      test.open { real = { "http" }, clock = "real" }
      local theirs = { said = ask(name, request) }
      theirs.asked = real(name)()
      assert.same(theirs, mine)
    end)
  end
end)
