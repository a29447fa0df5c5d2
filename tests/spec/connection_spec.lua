-- connection.update and connection.test: what changes, what is forgotten, what testConnection gets and says.
local support = require "support"

local execute = "function provider.executeBackup(backup, result) result.status = 'SUCCEEDED' end\n"
local options = [[connectionOptionTypes = { { fieldName = "serviceUrl", required = true }, { fieldName = "region", defaultValue = "eu" },
  { fieldName = "zone", inputType = "select", choices = { "a", "b" } }, { fieldName = "token", inputType = "password" } }, needs = { exec = { "true" }, http = { "${connection.serviceUrl}" } }]]

describe("a connection", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function add(hooks, config)
    rt:provider("p", execute .. (hooks or ""), options)
    local all = { serviceUrl = "http://127.0.0.1:1", token = "t1", username = "ada" }
    for key, value in pairs(config or {}) do all[key] = value end
    return rt:ask("connection.add", { name = "c", provider = "p", config = all })
  end
  local function update(args)
    args.connection = args.connection or "c"
    return rt:ask("connection.update", args)
  end
  local function show(name) return rt:ask("connection.show", { connection = name or "c" }) end

  describe("that is updated", function()
    it("changes what is named and keeps the rest", function()
      add(nil, { region = "us" })
      local reply = update{ config = { username = "bob", port = "22" } }
      assert.same({ "port", "username" }, reply.changed)
      assert.same({ "bob", 22, { region = "us" } }, { show().username, show().port, show().config })
      assert.is_nil(reply.connection.token)
      assert.is_nil(reply.connection.secrets)
      assert.same({ "changed: port, username" }, rt:events("connection.updated"))
    end)

    it("goes back to defaults, or to nothing", function()
      add(nil, { region = "us", zone = "a" })
      assert.same({ "username", "region", "zone", "token" }, update{ unset = { "region", "zone", "token", "username" } }.changed)
      assert.same({ region = "eu" }, show().config)
      assert.is_nil(show().username)
    end)

    it("is checked as at the beginning, and nothing changes then", function()
      add()
      local before = show()
      local err = rt:refused("connection.update", { connection = "c", config = { zone = "c", prot = 1 }, unset = { "serviceUrl" } })
      assert.equal("invalid", err.code)
      assert.same({ zone = "is none of the choices: a, b", serviceUrl = "serviceUrl is required", prot = "unknown option; did you mean 'port'?" }, err.fields)
      assert.equal("invalid", rt:refused("connection.update", { connection = "c", rename = "12" }).code)
      assert.equal("not_found", rt:refused("connection.update", { connection = "d", enabled = true }).code)
      assert.same(before, show())
    end)

    it("refuses numbers that cannot be, and names that are the runtime's", function()
      add()
      local function fields(request, args) return rt:refused(request, args).fields end
      for _, port in ipairs{ 0, 65536, -1, "70000" } do
        assert.same({ port = "is a whole number from 1 to 65535" }, fields("connection.update", { connection = "c", config = { port = port } }))
      end
      assert.same({ port = "is a whole number from 1 to 65535" }, fields("connection.add", { name = "d", provider = "p", config = { serviceUrl = "http://127.0.0.1:1", port = 0 } }))
      assert.same({ sshPort = "is a whole number from 1 to 65535" }, fields("server.add", { name = "s", config = { sshPort = -4 } }))
      assert.same({ maxRunning = "is a whole number from 0 to 1000000" }, fields("server.add", { name = "s", config = { maxRunning = -1 } }))
      assert.same({ port = "must be an integer of at most 64 bits" }, fields("connection.update", { connection = "c", config = { port = "22x" } }))
      assert.same({ uuid = "is the runtime's to set" }, fields("connection.update", { connection = "c", unset = { "uuid" } }))
      assert.same({ 65535, 1 }, { update{ config = { port = 65535 } }.connection.port, update{ config = { port = "1" } }.connection.port })
    end)

    it("says so where nothing was to be changed", function()
      add()
      local before = show()
      local reply = update{ config = { username = "ada", token = "t1" }, enabled = true }
      assert.same({ {}, "nothing was changed: it is like that already" }, { reply.changed, reply.msg })
      assert.same(before, show())
      assert.same({}, rt:events("connection.updated"))
    end)

    it("has a name that is its own", function()
      add()
      rt:ask("connection.add", { name = "d", provider = "p", config = { serviceUrl = "x" } })
      assert.equal("exists", rt:refused("connection.update", { connection = "c", rename = "d" }).code)
      rt:create("p", { connection = "c" })
      assert.same({ "name" }, update{ rename = "e" }.changed)
      assert.equal("e", rt:ask("backup.show", { backup = "b" }).connection)
    end)

    it("is not started with while it is not enabled, and can be enabled without its provider's options", function()
      add()
      rt:create("p", { connection = "c" })
      update{ enabled = false }
      local err = rt:refused("backup.run", { backup = "b" })
      assert.same({ "refused", "connection 'c' is not enabled: orrery connection update c --enable" }, { err.code, err.message })
      update{ enabled = true }
      assert.equal("SUCCEEDED", rt:run("p").status)
    end)

    it("by two at once has both changes", function()
      add()
      local first = rt:submit("connection.update", { connection = "c", config = { region = "us" } })
      local second = rt:submit("connection.update", { connection = "c", config = { zone = "b" } })
      assert.same({ "region" }, rt:await(first).changed)
      assert.same({ "zone" }, rt:await(second).changed)
      assert.same({ region = "us", zone = "b" }, show().config)
    end)

    it("has its sessions closed at once, and opened anew", function()
      add("local login = session { name = 'login', open = function(connection) spy('opened', connection.username) return { 1 } end,\n" ..
        "close = function() spy('closed', true) end }\n" ..
        "function provider.testConnection() return login:get() ~= nil end")
      local ok = rt:request("connection.test", { connection = "c" })
      rt:ask("connection.test", { connection = "c" })
      assert(ok)
      assert.same({ "ada" }, rt:spied("opened"))
      update{ config = { region = "us" } }
      rt:settle()
      assert.same({ true }, rt:spied("closed"))
      rt:ask("connection.test", { connection = "c" })
      assert.same({ "ada", "ada" }, rt:spied("opened"))
    end)
  end)

  describe("that is tested", function()
    it("is given to testConnection, with its secrets, and tells what that says", function()
      add("function provider.testConnection(connection) spy('user', connection.username) spy('secret', #connection.secrets.token) return ServiceResponse.success({ version = 7 }, 'hello') end")
      local reply = rt:ask("connection.test", { connection = "c" })
      assert.same({ "c", "hello", { version = 7 } }, { reply.connection, reply.msg, reply.data })
      assert.same({ { "ada" }, { 2 } }, { rt:spied("user"), rt:spied("secret") })
    end)

    for how, seen in pairs{ ["return false, 'no licence'"] = { "halted", "testConnection: no licence" }, ["error('boom')"] = { "provider", "boom" },
      ["return"] = { "provider", "must answer" }, ["return ServiceResponse.retry('busy')"] = { "retry", "busy" },
      ["http.get(connection.serviceUrl)"] = { "unreachable", "127.0.0.1" } } do
      it("fails with what the hook says: " .. how, function()
        add("function provider.testConnection(connection) " .. how .. " end")
        local _, err = rt:requestOverTime("connection.test", { connection = "c" }, 100)
        assert.equal(seen[1], err.code)
        assert.matches(seen[2], err.message, 1, true)
      end)
    end

    it("fails at the hook's deadline", function()
      add("function provider.testConnection(connection) sleep(1000) end")
      local _, err = rt:requestOverTime("connection.test", { connection = "c" }, 100)
      assert.equal("deadline", err.code)
    end)

    it("is refused where the provider cannot", function()
      add()
      local err = rt:refused("connection.test", { connection = "c" })
      assert.same({ "refused", "the provider 'p' cannot test connections: it has no testConnection" }, { err.code, err.message })
      assert.equal("not_found", rt:refused("connection.test", { connection = "d" }).code)
    end)

    it("leaves nothing in the journal, be there an act or an end of the runtime", function()
      local lasting = support.openLasting()
      lasting:provider("p", execute .. "function provider.testConnection(c) process.run { argv = { 'true' } } if c.username == 'stay' then sleep(1000) end return true end", options)
      lasting:ask("connection.add", { name = "c", provider = "p", config = { serviceUrl = "x" } })
      lasting:ask("connection.test", { connection = "c" })
      lasting:ask("connection.update", { connection = "c", config = { username = "stay" } })
      lasting:submit("connection.test", { connection = "c" })
      lasting:settle()
      lasting:reopen()
      lasting:settle()
      local path = lasting.settings.data_dir
      lasting:close()
      local pipe = io.popen("sqlite3 '" .. path .. "'/*.db 'select count(*) from op' 2>&1")
      local count = pipe:read("*l")
      pipe:close()
      assert.equal("0", count)
    end)
  end)

  it("that is not enabled lets no failed result be retried", function()
    add()
    rt:provider("p", "function provider.executeBackup() return false, 'no' end", options)
    rt:create("p", { connection = "c" })
    local result = rt:run("p")
    update{ enabled = false }
    assert.matches("connection 'c' is not enabled", rt:refused("result.retry", { result = tostring(result.id) }).message)
  end)
end)
