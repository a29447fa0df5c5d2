-- Recordings: what is kept of what hooks say over HTTP, what is not, and for how long; and how a cassette plays it.
local test = require "orrery.test"
local json = require "orrery.json"
local session = require "orrery.session"
local url = require "orrery.url"
local mock, run = test.mock, test.run

describe("a recording", function()
  local folder

  before_each(function()
    local pipe = io.popen("mktemp -d")
    folder = pipe:read("*l")
    pipe:close()
  end)
  after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

  local function open(mode, more)
    local settings = { data_dir = folder .. "/data", record_http = mode }
    for key, value in pairs(more or {}) do settings[key] = value end
    test.open(settings)
  end

  local head = [[
    local provider = Provider { apiVersion = 1, code = "p", name = "P", version = "1", needs = { http = { "https://a.test" } },
      connectionOptionTypes = { { fieldName = "serviceToken", inputType = "password" } } }
    function provider.deleteBackupResult() http.delete("https://a.test/x") return true end
  ]]

  local function execute(body, options)
    assert(test.provider("p", head .. "function provider.executeBackup(b, r) " .. body .. " end\nreturn provider"))
    return run.backup { provider = "p", delete = false, connection = { serviceUrl = "https://a.test", serviceToken = "the-token-itself" }, options = options }
  end

  local function lines(result)
    local reply = assert(test.request("result.export", { result = tostring(result.id) }))
    local all = {}
    for line in reply.cassette:gmatch("[^\n]+") do table.insert(all, (assert(json.decode(line)))) end
    return all, reply.cassette
  end

  local function files() return tonumber(io.popen("ls '" .. folder .. "/data/recordings' 2>/dev/null | wc -l"):read("*l")) end

  it("has each exchange: answers, errors, bytes that are no text", function()
    open "all"
    local api = mock.http "https://a.test"
    api:on("POST /jobs", { status = 201, json = { id = 7 }, headers = { ["X-One"] = "1" } })
    api:on("GET /raw", { body = "\255\0" })
    api:on("POST /gone", mock.fault.reset())
    local result = execute [[
      http.post("https://a.test/jobs?a=1", { json = { uuid = r.uuid } })
      http.get("https://a.test/raw")
      pcall(http.post, "https://a.test/gone")
      r.status = "FAILED"]]
    local all = lines(result)
    assert.equal(4, #all)
    assert.equal("p", all[1].provider)
    assert.equal("FAILED", all[1].result.status)
    assert.same({ "serviceToken" }, all[1].connectionSecrets)
    assert.equal("executeBackup", all[2].hook)
    assert.equal("https://a.test/jobs?a=1", all[2].request.url)
    assert.equal('{"uuid":"{uuid}"}', all[2].request.body)
    assert.equal(201, all[2].reply.status)
    assert.equal("1", all[2].reply.headers["x-one"])
    assert.equal("/wA=", all[3].reply.bodyBase64)
    assert.equal("unreachable", all[4].error.code)
    assert.is_true(all[4].error.sent)
  end)

  it("has no secret in any form", function()
    open "all"
    local api = mock.http "https://a.test"
    api:on("POST /login", { json = { access_token = "issued-and-never-marked", list = { { Password = "in-a-list" } }, user = "ada" }, headers = { ["Set-Cookie"] = "sid=cookie-text" } })
    api:on("POST /echo", function(request) return { body = request.body } end)
    local result = execute([[
      http.post("https://a.test/login", { auth = { username = "u", password = "basic-password" }, headers = { ["X-Vendor-Token"] = "by-its-name" } })
      local learnt = secret("learnt-on-the-way")
      http.post("https://a.test/echo?k=the-token-itself", { body = "the-token-itself " .. base64.encode("the-token-itself") .. " learnt-on-the-way" })
      r.status = "FAILED"]])
    local all, text = lines(result)
    assert.equal(3, #all)
    for _, secret in ipairs { "the-token-itself", "dGhlLXRva2VuLWl0c2Vs", "issued-and-never-marked", "in-a-list", "cookie-text", "basic-password", "by-its-name", "learnt-on-the-way" } do
      if text:find(secret, 1, true) then error(secret .. " is in\n" .. text) end
    end
    assert.is_truthy(text:find("ada", 1, true))
  end)

  it("has none that is in a form or a query, escaped by JSON, or at a cut", function()
    open "all"
    local api = mock.http "https://a.test"
    api:on("POST /in", { body = ("x"):rep(65530) .. "the-token-itself" })
    local result = execute([[
      local pem = secret("-----BEGIN KEY-----\\nMIIEvQ\\n-----END KEY-----")
      http.post("https://a.test/in?page=2&access_token=in-the-query&n=1", { form = { client_secret = "in-the-form", user = "ada" } })
      http.post("https://a.test/in", { json = { pem = pem } })
      r.status = "FAILED"]])
    local all, text = lines(result)
    for _, secret in ipairs { "in-the-query", "in-the-form", "MIIEvQ" } do
      if text:find(secret, 1, true) then error(secret .. " is in\n" .. text) end
    end
    assert.equal("https://a.test/in?page=2&access_token=***&n=1", all[2].request.url)
    assert.equal("client_secret=***&user=ada", all[2].request.body)
    assert.equal(("x"):rep(65530) .. "***", all[2].reply.body)
    assert.is_nil(all[2].reply.bodyCut)
    assert.equal('{"pem":"***"}', all[3].request.body)
  end)

  it("has none among bytes, in no form, and what is around it is still there", function()
    open "all"
    local api = mock.http "https://a.test"
    api:on("POST /in", { body = "\0\1the-token-itself\255 dGhlLXRva2VuLWl0c2VsZg== \0 learnt-later" })
    api:on("POST /json", { body = ' \n{"access_token":"behind a blank"}' })
    local result = execute([[
      http.post("https://a.test/in", { body = "\0" .. url.encode("a%the-token-itself") .. "\0the-token-itself\0" })
      http.post("https://a.test/in", { body = "user=a\0b&token=in-the-form\0&x=1", headers = { ["Content-Type"] = "application/x-www-form-urlencoded" } })
      http.post("https://a.test/json")
      secret("learnt-later")
      r.status = "FAILED"]])
    local all = lines(result)
    local function bytes(side) return url.take(side, "body") end
    assert.equal("\0a%25***\0***\0", bytes(all[2].request))
    assert.equal("\0\1***\255 *** \0 ***", (bytes(all[2].reply):gsub("=", "")))
    assert.equal("user=a\0b&token=***&x=1", bytes(all[3].request))
    assert.equal('{"access_token":"***"}', all[4].reply.body)
  end)

  it("has what the hook's deadline cut off, and plays it as that", function()
    open "all"
    local api = mock.http "https://a.test"
    api:on("POST /slow", { status = 202, delay = 3 })
    api:on("GET /hangs", mock.fault.timeout())
    local source = (head:gsub('version = "1"', 'version = "1", timeouts = { executeBackup = 10 }')) .. [[
      function provider.executeBackup(b, r)
        http.post("https://a.test/slow")
        http.get("https://a.test/hangs", { timeout = 30 })
      end
      return provider]]
    assert(test.provider("p", source))
    local setup = { provider = "p", delete = false, connection = { serviceUrl = "https://a.test" } }
    local result = run.backup(setup)
    local all, text = lines(result)
    assert.equal(3, #all)
    assert.equal(3000, all[2].millis)
    assert.same({ code = "deadline", message = "http.request: the deadline of the hook has passed", sent = true }, all[3].error)
    assert.equal(7000, all[3].millis)
    local path = folder .. "/tape.jsonl"
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    session.world:finish()
    session.world = nil
    local tape = mock.cassette(path)
    assert(test.provider("p", source))
    local again = run.backup(tape:setup())
    assert.same({ result.status, result.attention, result.errorMessage, result.took }, { again.status, again.attention, again.errorMessage, again.took })
    assert.same({ result.ops[1].outcome, result.ops[1].message }, { again.ops[1].outcome, again.ops[1].message })
  end)

  it("has what a branch of parallel no longer waited for, and an answer that came in the same moment", function()
    open "all"
    local api = mock.http "https://a.test"
    api:on("GET /hangs", mock.fault.timeout())
    api:on("POST /refused", 400)
    local result = execute [[
      pcall(parallel, {
        function() http.get("https://a.test/hangs") end,
        function() error("no more of it: " .. http.post("https://a.test/refused").status) end,
      })
      r.status = "FAILED"]]
    local seen = {}
    for _, line in ipairs(lines(result)) do if line.request then seen[line.request.url] = line.error and line.error.code or line.reply.status end end
    assert.same({ ["https://a.test/hangs"] = "cancelled", ["https://a.test/refused"] = 400 }, seen)
  end)

  it("is bounded, in each body and in whole", function()
    open("all", { record_limit = "200000" })
    mock.http("https://a.test"):on("POST /big", function(request) return { body = ("x"):rep(request.number == 1 and 100000 or 60000) } end)
    local all = lines(execute [[ for i = 1, 5 do http.post("https://a.test/big") end r.status = "FAILED"]])
    assert.equal(65536, #all[2].reply.body)
    assert.is_true(all[2].reply.bodyCut)
    assert.equal(60000, #all[3].reply.body)
    assert.is_true(all[#all].full)
    assert.equal(5, #all) -- head, three that fit, and the mark
  end)

  it("is of failures only, where that is asked for, and goes with its result", function()
    open "failures"
    mock.http("https://a.test"):on("ANY /x", 200)
    execute [[ http.post("https://a.test/x") r.status = "SUCCEEDED" ]]
    assert.equal(0, files())
    local failed = execute [[ http.post("https://a.test/x") r.status = "FAILED" ]]
    assert.equal(1, files())
    assert.is_true(failed:delete())
    assert.equal(0, files())
  end)

  it("is none where it is off", function()
    open "off"
    mock.http("https://a.test"):on("POST /x", 200)
    local result = execute [[ http.post("https://a.test/x") r.status = "FAILED" ]]
    assert.equal(0, files())
    local _, err = test.request("result.export", { result = tostring(result.id) })
    assert.equal("not_found", err.code)
  end)

  it("has what one call for many results said, for each of them", function()
    open "all"
    mock.http("https://a.test"):on("GET /all", 200)
    assert(test.provider("p", head .. [[
      function provider.executeBackup(b, r) r.status = "IN_PROGRESS" end
      function provider.refreshBackupResults(results)
        http.get("https://a.test/all")
        for _, r in ipairs(results) do r.status = "FAILED" end
      end
      return provider]]))
    local what = { provider = "p", delete = false, connection = { serviceUrl = "https://a.test" } }
    local first = run.create(what):run()
    local second = run.create({ provider = "p", name = "second", connection = { serviceUrl = "https://a.test" } }):run()
    first:wait()
    second:wait()
    assert.equal("refreshBackupResults", lines(first)[2].hook)
    assert.equal("refreshBackupResults", lines(second)[2].hook)
  end)

  it("plays: in order, by method and URL, with the uuid of here, the last one again for a safe request", function()
    local path = folder .. "/tape.jsonl"
    local file = assert(io.open(path, "w"))
    file:write('{"cassette":1,"provider":"p","connection":{"name":"c","serviceUrl":"https://a.test","id":3},"connectionSecrets":["serviceToken"]}\n')
    local function exchange(method, target, body, reply)
      file:write(json.encode { hook = "executeBackup", at = 0, request = { method = method, url = "https://a.test" .. target, body = body }, reply = reply } .. "\n")
    end
    exchange("PUT", "/jobs/{uuid}", nil, { status = 201, body = "made {uuid}" })
    exchange("GET", "/jobs/{uuid}?n=1", nil, { status = 200, body = "one" })
    exchange("GET", "/jobs/{uuid}?n=1", nil, { status = 503, headers = { ["retry-after"] = "1" }, body = "two" })
    file:write(json.encode { hook = "executeBackup", at = 0, request = { method = "GET", url = "https://a.test/lost" }, error = { code = "unreachable", message = "gone", sent = true } } .. "\n")
    file:write('{"hook":"exec') -- a crash ended it
    file:close()
    local tape = mock.cassette(path)
    assert(test.provider("p", head .. [[
      function provider.executeBackup(b, r)
        local base = b.connection.serviceUrl .. "/jobs/" .. r.uuid
        local seen = { http.put(base).body == "made " .. r.uuid and "same" or "other", b.connection.serviceToken }
        for i = 1, 3 do seen[#seen + 1] = http.get(base .. "?n=1").body end
        local ok, err = pcall(http.get, "https://a.test/lost")
        seen[#seen + 1] = err.code
        r.statusMessage, r.status = table.concat(seen, " "), "SUCCEEDED"
      end
      return provider]]))
    local result = run.backup(tape:setup())
    assert.result(result).succeeded()
    assert.equal("same *** one two two unreachable", result.statusMessage) -- the token stands there as any secret does
  end)
end)
