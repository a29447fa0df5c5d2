-- The model objects in Lua: typed fields, free configuration, navigation, secrets.
local support = require "support"

local function fieldsOf(model)
  local file = assert(io.open(("%s/../../runtime/model/fields/%s.def"):format(ORRERY_SPEC_DIR, model)))
  local fields = {}
  for line in file:lines() do
    local kind, name, flags = line:match("^FIELD%(%w+,%s*(%w+),%s*(%w+),%s*([%w |]-),")
    if kind then table.insert(fields, { kind = kind, name = name, isReadOnly = flags:find("READONLY") ~= nil, isDerived = flags:find("DERIVED") ~= nil, isSecret = flags:find("SECRET") ~= nil }) end
  end
  file:close()
  return fields
end

local samples = { STR = "text", INT = 12345, NUM = 1.5, DATE = 1767225600123, BOOL = true, MAP = { a = { b = 1 } } }
local wrong = { STR = {}, INT = "many", NUM = "much", DATE = "today", BOOL = "yes", MAP = "map", STATUS = 5 }

describe("a model object", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  -- Runs code in executeBackup(b, r) and gives back what it spied as "x".
  local function inHook(code, declaration, create)
    rt:provider("p", "local function try(f, ...) local ok, err = pcall(f, ...) return ok or (type(err) == 'table' and err.message or err) end\n"
      .. "function provider.executeBackup(b, r) " .. code .. " end", declaration)
    if create then rt:create("p", create) end
    local result = rt:run("p")
    if result.status == "FAILED" then error(result.errorMessage, 2) end
    return unpack(rt:spied("x"))
  end

  for model, variable in pairs{ result = "r", backup = "b" } do
    for _, field in ipairs(fieldsOf(model)) do
      if not field.isReadOnly and not field.isSecret and field.kind ~= "STATUS" then
        it(("of a %s has the field %s, which is kept"):format(model, field.name), function()
          local seen = inHook(("%s.%s = json.decode(%q) spy('x', %s.%s)"):format(variable, field.name, support.json.encode(samples[field.kind]), variable, field.name))
          assert.same(samples[field.kind], seen)
          local stored = model == "result" and rt:result(1) or rt:ask("backup.show", { backup = "b" })
          assert.same(samples[field.kind], stored[field.name])
        end)

        it(("of a %s refuses for %s what is no %s"):format(model, field.name, field.kind), function()
          local message = inHook(("spy('x', try(function() %s.%s = json.decode(%q) end))"):format(variable, field.name, support.json.encode(wrong[field.kind])))
          assert.is_string(message)
          assert.is_truthy(message:find(field.name, 1, true), message)
        end)
      elseif field.isReadOnly and not field.isSecret then
        it(("of a %s refuses writes to %s"):format(model, field.name), function()
          local message = inHook(("spy('x', try(function() %s.%s = 1 end))"):format(variable, field.name))
          assert.matches("read%-only", message)
        end)
      end
    end
  end

  it("has all the fields that real providers use", function()
    inHook([[
      for _, name in ipairs{ "status", "startDate", "endDate", "durationMillis", "sizeInBytes", "sizeInMb", "externalId", "internalId", "backupSetId",
        "backupName", "backupType", "errorOutput", "errorMessage", "statusMessage", "snapshotId", "processId", "resultPath", "resultBucket", "resultArchive" } do
        local _ = r[name]
      end
      spy("x", true)]])
  end)

  it("has the fields of a server that real providers use, and its cloud", function()
    rt:ask("cloud.add", { name = "east", config = { regionCode = "eu-1" } })
    rt:ask("server.add", { name = "web", cloud = "east", config = { externalId = "vm-9", hostname = "web.example", platform = "linux", sshHost = "10.0.0.9", sshUsername = "root", rack = "R7" } })
    local seen = inHook([[
      local s = r.computeServer
      spy("x", { s.externalId, s.name, s.hostname, s.platform, s.sshHost, s.sshUsername, s.cloud.name, s.cloud.regionCode, s:getConfigProperty("rack") })]], nil, { server = "web" })
    assert.same({ "vm-9", "web", "web.example", "linux", "10.0.0.9", "root", "east", "eu-1", "R7" }, seen)
  end)

  it("derives sizeInMb", function()
    assert.equal(1.5, inHook("r.sizeInBytes = 1572864 spy('x', r.sizeInMb)"))
  end)

  it("names the nearest field for a misspelt one, reading and writing", function()
    local read = inHook("spy('x', try(function() return r.externalID end))")
    assert.matches("has no field 'externalID' %(did you mean 'externalId'%?%)", read)
    rt = assert(support.open())
    assert.matches("did you mean 'sizeInBytes'", (inHook("spy('x', try(function() r.sizeInBites = 1 end))")))
  end)

  it("has ids from outside as strings, numbers become their digits", function()
    assert.equal("12345678901", inHook("r.externalId = 12345678901 spy('x', r.externalId)"))
  end)

  it("has integers beyond 2^53 as strings, never rounded", function()
    assert.equal("9007199254740993", inHook("r.sizeInBytes = '9007199254740993' spy('x', r.sizeInBytes)"))
    rt = assert(support.open())
    assert.matches("2%^53", (inHook("spy('x', try(function() r.sizeInBytes = 2^60 end))")))
  end)

  it("has dates in milliseconds and refuses one under 1e11: seconds?", function()
    assert.matches("seconds%?", (inHook("spy('x', try(function() r.startDate = 1767225600 end))")))
  end)

  it("refuses NaN and infinite numbers", function()
    assert.is_string((inHook("spy('x', try(function() r.progress = 0 / 0 end))")))
  end)

  it("prints as its class and name, without an address", function()
    assert.equal('Backup 1 "b"', inHook("spy('x', tostring(b))"))
  end)

  it("is dead when its hook has ended: it says so", function()
    rt:provider("p", [[
      local kept
      function provider.prepareBackupResult(r) kept = r end
      function provider.executeBackup() local ok, err = pcall(function() return kept.status end) spy("x", err) end]])
    rt:run("p")
    assert.matches("belongs to a hook that has ended", rt:spied("x")[1])
  end)

  describe("'s free configuration", function()
    it("has dotted paths", function()
      local seen = inHook("r:setConfigProperty('a.b.c', 1) r:setConfigProperty('a.d', { 1, 2 }) spy('x', { r:getConfigProperty('a.b.c'), r:getConfigProperty('a').d, r:getConfigProperty('a.x') == nil })")
      assert.same({ 1, { 1, 2 }, true }, seen)
      assert.same({ a = { b = { c = 1 }, d = { 1, 2 } } }, rt:result(1).config)
    end)

    it("is read and replaced as a whole", function()
      local seen = inHook("r:setConfigMap{ one = 1 } r:setConfigProperty('two', 2) spy('x', r:getConfigMap())")
      assert.same({ one = 1, two = 2 }, seen)
    end)

    it("gives copies: changing what was read changes nothing", function()
      assert.same({ one = 1 }, (inHook("r:setConfigMap{ one = 1 } r:getConfigMap().one = 2 spy('x', r:getConfigMap())")))
    end)

    it("loses a value that is set to nil", function()
      inHook("r:setConfigMap{ one = 1, two = 2 } r:setConfigProperty('one', nil) spy('x', 1)")
      assert.same({ two = 2 }, rt:result(1).config)
    end)

    it("refuses what is no data", function()
      assert.matches("function", (inHook("spy('x', try(r.setConfigProperty, r, 'f', print))")))
    end)

    it("wants a colon: a dot call gets a hint", function()
      assert.matches("use a colon", (inHook("spy('x', try(r.getConfigProperty, 'a'))")))
    end)
  end)

  describe("'s navigation", function()
    before_each(function()
      rt:provider("p", "function provider.executeBackup() end", "connectionOptionTypes = { { fieldName = 'tenant' } }")
      rt:ask("connection.add", { name = "vault", provider = "p", config = { serviceUrl = "https://vault.example", tenant = "t1" } })
    end)

    it("walks from the result to the Backup and its connection, also called connection", function()
      local seen = inHook([[
        local c = r.backup.backupProvider
        spy("x", { c.name, c.serviceUrl, c:getConfigProperty("tenant"), r.backup.connection.name, r.backup == b })]],
        "connectionOptionTypes = { { fieldName = 'tenant' } }", { connection = "vault" })
      assert.same({ "vault", "https://vault.example", "t1", "vault", true }, seen)
    end)

    it("is nil where there is nothing", function()
      assert.same({ true, true, true }, (inHook("spy('x', { b.backupProvider == nil, b.cloud == nil, r.computeServer == nil })", "connectionOptionTypes = { { fieldName = 'tenant' } }")))
    end)

    it("cannot be written", function()
      assert.matches("cannot be set", (inHook("spy('x', try(function() r.backup = nil end))")))
    end)
  end)

  describe("backup:results", function()
    local list = [[
      function provider.executeBackup(b, r, config)
        r.status = config.status
        local ids = {}
        for i, one in ipairs(b:results(config.query)) do ids[i] = one.id end
        spy("ids", ids)
      end]]

    it("lists the Backup's results, newest first, the present one too", function()
      rt:provider("p", list)
      rt:run("p", { config = { status = "SUCCEEDED" } })
      rt:run("p", { config = { status = "FAILED" } })
      rt:run("p", { config = { status = "SUCCEEDED" } })
      local ids = rt:spied("ids")[3]
      assert.equal(1, ids[#ids])
      for i = 2, #ids do assert.is_true(ids[i] < ids[i - 1]) end
    end)

    it("takes a status and a limit: full or incremental?", function()
      rt:provider("p", list)
      rt:run("p", { config = { status = "SUCCEEDED" } })
      rt:run("p", { config = { status = "SUCCEEDED" } })
      rt:run("p", { config = { status = "FAILED" } })
      rt:run("p", { config = { status = "FAILED", query = { status = "SUCCEEDED", limit = 1 } } })
      assert.same({ 2 }, rt:spied("ids")[4])
    end)

    it("gives results that are not for writing", function()
      rt:provider("p", [[
        function provider.executeBackup(b, r, config)
          r.status = "SUCCEEDED"
          local old = b:results{ status = "SUCCEEDED" }[1]
          if old then spy("write", { pcall(function() old.externalId = "x" end) }) end
        end]])
      rt:run("p")
      rt:run("p")
      assert.is_false(rt:spied("write")[1][1])
    end)

    it("names a misspelt status", function()
      assert.matches("did you mean SUCCEEDED", (inHook("spy('x', try(b.results, b, { status = 'SUCCEDED' }))")))
    end)
  end)
end)

describe("a secret", function()
  local rt
  before_each(function()
    rt = assert(support.open())
    rt:provider("p", [[
      function provider.executeBackup(b, r)
        local c = b.backupProvider
        spy("given", c.serviceToken == "tok-" .. "5up3r" and c:getConfigProperty("apiKey") == "key-" .. "5ecret" and b:getConfigProperty("passphrase") == "pass-" .. "phr4se")
        log.info("token %s, key %s, phrase %s", c.serviceToken, c:getConfigProperty("apiKey"), b:getConfigProperty("passphrase"))
        log.info(base64.encode(c.serviceToken) .. " " .. url.encode(c:getConfigProperty("apiKey")))
        r.statusMessage = "in use"
        return false, "refused " .. c.serviceToken
      end]], [[connectionOptionTypes = { { fieldName = "serviceToken", inputType = "password" }, { fieldName = "apiKey", inputType = "password" } },
      optionTypes = { { fieldName = "passphrase", inputType = "password" } }]])
    rt:ask("connection.add", { name = "vault", provider = "p", config = { serviceToken = "tok-5up3r", apiKey = "key-5ecret" } })
    rt:create("p", { connection = "vault", config = { passphrase = "pass-phr4se" } })
  end)
  after_each(support.clean)

  it("is readable by the provider that owns it", function()
    rt:run("p")
    assert.same({ true }, rt:spied("given"))
  end)

  it("is printed nowhere: not in logs, answers, journal, or any list", function()
    rt:run("p")
    local texts = { support.json.encode(rt.logs), support.json.encode(rt:result(1)), support.json.encode(rt:ask("backup.ls")), support.json.encode(rt:ask("connection.ls")),
                    support.json.encode(rt:ask("backup.show", { backup = "b" })), support.json.encode(rt:ask("connection.show", { connection = "vault" })),
                    support.json.encode(rt:ask("events", { limit = 1000 })), support.json.encode(rt:ask("status")) }
    for _, text in ipairs(texts) do
      for _, secret in ipairs{ "tok-5up3r", "key-5ecret", "pass-phr4se", "dG9rLTV1cDNy" } do assert.is_nil(text:find(secret, 1, true), text) end
    end
    assert.is_true(rt:logged("token"))
  end)

  it("is not in the database in plain text", function()
    local lasting = support.openLasting()
    lasting:source("p", rt.sources.p)
    lasting:ask("connection.add", { name = "vault", provider = "p", config = { serviceToken = "tok-5up3r", apiKey = "key-5ecret" } })
    lasting:create("p", { connection = "vault", config = { passphrase = "pass-phr4se" } })
    lasting:run("p")
    lasting:close()
    local pipe = io.popen("cat '" .. lasting.settings.data_dir .. "'/orrery.db*")
    local bytes = pipe:read("*a")
    pipe:close()
    assert.is_true(#bytes > 1000)
    for _, secret in ipairs{ "tok-5up3r", "key-5ecret", "pass-phr4se" } do assert.is_nil(bytes:find(secret, 1, true), secret) end
  end)

  it("survives a restart", function()
    local lasting = support.openLasting()
    lasting:source("p", rt.sources.p)
    lasting:ask("connection.add", { name = "vault", provider = "p", config = { serviceToken = "tok-5up3r", apiKey = "key-5ecret" } })
    lasting:create("p", { connection = "vault", config = { passphrase = "pass-phr4se" } })
    lasting:reopen()
    lasting:run("p")
    assert.same({ true }, lasting:spied("given"))
  end)
end)
