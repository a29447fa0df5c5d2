-- mock.http and mock.fault: what a provider sees of them is what it would see of libcurl and a server.
local test = require "orrery.test"
local mock, run, clock = test.mock, test.run, test.clock
local fault = mock.fault

describe("mock.http", function()
  --- Runs one executeBackup with this body; what it puts into `seen` comes back.
  local function hook(body)
    assert(test.provider("p", [[
      local provider = Provider { apiVersion = 1, code = "p", name = "P", version = "1", needs = { http = { "https://a.test", "http://b.test:8080" } } }
      function provider.executeBackup(backup, backupResult)
        local seen = {}
        ]] .. body .. [[
        backupResult:setConfigProperty("seen", json.encode(seen))
        backupResult.status = "SUCCEEDED"
      end
      return provider]]))
    local result = run.backup { provider = "p", delete = false }
    assert.result(result).succeeded()
    return require("dkjson").decode(result.config.seen)
  end

  it("answers by route, parameters, query and sequence", function()
    local api = mock.http "https://a.test"
    api:on("GET /jobs/:id", { json = { n = 1 } }, { json = { n = 2 } })
    api:on("GET /jobs/:id?deep=1", function(request) return { json = { id = request.params.id, number = request.number } } end)
    api:on("ANY /files/*", function(request) return { body = request.method .. " " .. request.params.rest } end)
    local seen = hook [[
      for i = 1, 3 do seen[i] = http.get("https://a.test/jobs/7"):json().n end
      local deep = http.get("https://a.test/jobs/a%20b", { query = { deep = "1", more = "x" } }):json()
      seen[4], seen[5] = deep.id, deep.number
      seen[6] = http.put("https://a.test/files/x/y", { body = "z" }).body
    ]]
    assert.same({ 1, 2, 2, "a b", 1, "PUT x/y" }, seen)
    assert.equal(3, api:count "GET /jobs/7")
    assert.equal(4, api:count "GET /jobs/:id")
    assert.equal("z", api:last("PUT /files/*").body)
    assert.equal(5, #api.requests)
  end)

  it("shows requests whole", function()
    local api = mock.http "http://b.test:8080"
    api:on("POST /x", { status = 202, headers = { ["X-Two"] = "b" } })
    local seen = hook [[
      local reply = http.post("http://b.test:8080/x", { json = { a = { 1, 2 } }, headers = { ["X-One"] = "a" }, auth = { username = "u", password = "p" } })
      seen[1], seen[2], seen[3] = reply.status, reply.headers["x-two"], reply.headers["X-Two"]
    ]]
    assert.same({ 202, "b", "b" }, seen)
    local request = api:last()
    assert.same({ a = { 1, 2 } }, request.json)
    assert.equal("a", request.headers["x-one"])
    assert.equal("Basic dTpw", request.headers.authorization)
    assert.equal(clock:now(), request.at)
  end)

  it("carries bytes that are no text, both ways", function()
    local api, bytes = mock.http "https://a.test", "\0\255\128abc"
    api:on("POST /raw", function(request) return { body = request.body .. "\254" } end)
    local seen = hook [[ seen[1] = hash.hex and 0 or 0; seen[1] = #http.post("https://a.test/raw", { body = "\0\255\128abc" }).body ]]
    assert.same({ 7 }, seen)
    assert.equal(bytes, api:last().body)
  end)

  it("breaks as it is told, and says whether it was sent", function()
    local api = mock.http "https://a.test"
    local done = 0
    api:on("POST /x", function() done = done + 1 return 201 end)
    api:fault("POST /x", fault.refused(), fault.reset(), fault.reset { processed = true }, fault.timeout(), fault.timeout { processed = true },
              fault.truncated(), fault.status(503), fault.status(503, { processed = true }), fault.unauthorized(), fault.delay(7))
    local seen = hook [[
      for i = 1, 6 do
        local ok, err = pcall(http.post, "https://a.test/x", { timeout = 10 })
        seen[i] = err.code .. (err.wasSent and " sent" or "") .. (ok and " ?" or "")
      end
      for i = 7, 9 do seen[i] = http.post("https://a.test/x").status end
      local before = time.now()
      seen[10] = http.post("https://a.test/x").status
      seen[11] = time.now() - before
      seen[12] = http.post("https://a.test/x").status
    ]]
    assert.same({ "unreachable", "unreachable sent", "unreachable sent", "timeout sent", "timeout sent", "unreachable sent", 503, 503, 401, 201, 7000, 201 }, seen)
    assert.equal(6, done) -- reset, timeout, truncated and 503 after the work, delay, and the last
  end)

  it("tries safe requests again as the runtime does, and waits for Retry-After", function()
    local api = mock.http "https://a.test"
    api:on("GET /x", { json = {} })
    api:on("POST /y", 200)
    api:fault("GET /x", fault.reset(), fault.refused(), fault.status(503, { headers = { ["Retry-After"] = "4" } }))
    api:fault("POST /y", fault.tooMany(5))
    local seen = hook [[
      local before = time.now()
      seen[1] = http.get("https://a.test/x").status
      seen[2] = time.now() - before
      seen[3] = http.post("https://a.test/y").status
      seen[4] = time.now() - before
    ]]
    assert.same({ 200, 500 + 1000 + 4000, 200, 5500 + 5000 }, seen)
    assert.equal(4, api:count "GET /x")
    assert.equal(2, api:count "POST /y")
  end)

  it("gives up as the runtime does: three times, or where the time is up before", function()
    local api = mock.http "https://a.test"
    api:on("GET /gone", fault.refused())
    api:on("POST /busy", fault.tooMany(60))
    local seen = hook [[
      seen[1] = select(2, pcall(http.get, "https://a.test/gone")).code
      seen[2] = http.post("https://a.test/busy", { timeout = 30 }).status
    ]]
    assert.same({ "unreachable", 429 }, seen)
    assert.equal(4, api:count "GET /gone")
    assert.equal(1, api:count "POST /busy")
  end)

  it("follows a redirect of a safe request within the origin", function()
    local api = mock.http "https://a.test"
    api:on("GET /old", { status = 302, headers = { Location = "/new" } })
    api:on("GET /new", { body = "here" })
    api:on("GET /away", { status = 302, headers = { Location = "http://b.test:8080/" } })
    assert.same({ "here", 302 }, hook [[ seen[1] = http.get("https://a.test/old").body; seen[2] = http.get("https://a.test/away").status ]])
  end)

  it("breaks JSON where it is told to", function()
    mock.http("https://a.test"):on("GET /x", fault.badJson())
    assert.same({ false }, hook [[ local value, err = http.get("https://a.test/x"):json(); seen[1] = value ~= nil and err == nil ]])
  end)

  it("keeps the provider's needs", function()
    mock.http "https://other.test"
    assert.same({ "denied" }, hook [[ seen[1] = select(2, pcall(http.get, "https://other.test/x")).code ]])
  end)

  it("counts starts by route, and by key", function()
    local api = mock.http "https://a.test"
    local first = api:on("POST /plain", { json = {} }):starts()
    local second = api:on("POST /keyed", function(request) return { json = { n = request.number } } end):starts(function(request) return request.json.key end)
    assert.same({ 1, 1, 3 }, hook [[
      http.post("https://a.test/plain") http.post("https://a.test/plain")
      for i, key in ipairs { "a", "a", "b" } do seen[i] = http.post("https://a.test/keyed", { json = { key = key } }):json().n end
    ]])
    assert.equal(2, first.ledger.started)
    assert.equal(2, second.ledger.started)
  end)
end)
