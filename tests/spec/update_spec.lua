-- backup.update: what the hooks get, what halts, what is stored; what becomes of an update whose end nobody knows.
local support = require "support"

local execute = "function provider.executeBackup(backup, result) result.status = 'SUCCEEDED' end\n"
local options = [[optionTypes = { { fieldName = "path", required = true }, { fieldName = "depth", inputType = "number", defaultValue = 3 },
  { fieldName = "mode", inputType = "select", choices = { "full", "incremental" } }, { fieldName = "key", inputType = "password" },
  { fieldName = "region", createOnly = true } }, needs = { exec = { "true" } }]]
local acts = "process.run{ argv = { 'true' } } "

describe("the update of a Backup", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function provide(hooks, more) rt:provider("p", execute .. (hooks or ""), options .. (more or "")) end
  local function create(hooks, more)
    provide(hooks)
    return rt:create("p", { config = { path = "/a", key = "k1", region = "eu" }, schedule = more and more.schedule })
  end
  local function update(args)
    args.backup = args.backup or "b"
    return rt:ask("backup.update", args)
  end
  local function show() return rt:ask("backup.show", { backup = "b" }) end
  local function same(before)
    local now = show()
    before.nextFireDate, now.nextFireDate = nil, nil
    assert.same(before, now)
  end

  it("changes what is named and keeps the rest, not its defaults", function()
    create()
    update{ config = { depth = 7 } }
    local reply = update{ config = { path = "/b" } }
    assert.same({ "path" }, reply.changed)
    assert.same({ path = "/b", depth = 7, region = "eu" }, show().config)
  end)

  it("converts and checks as in creation", function()
    create()
    assert.equal(9, update{ config = { depth = "9" } }.backup.config.depth)
    local err = rt:refused("backup.update", { backup = "b", config = { depth = "deep", mode = "x", pathh = "y" } })
    assert.equal("invalid", err.code)
    assert.same({ depth = "'deep' is not a number", mode = "is none of the choices: full, incremental", pathh = "unknown option; did you mean 'path'?" }, err.fields)
  end)

  it("says so where nothing was to be changed", function()
    local before = create("function provider.updateBackup() spy('carried', true) end")
    before = show()
    local reply = update{ config = { path = "/a" } }
    assert.same({ {}, "nothing was changed: it is like that already" }, { reply.changed, reply.msg })
    same(before)
    assert.same({}, rt:spied("carried"))
    assert.same({}, rt:events("backup.updated"))
  end)

  it("tells in an event what has changed, and of secrets no more", function()
    create()
    update{ config = { path = "/b", key = "hush" } }
    assert.same({ "changed: path, key" }, rt:events("backup.updated"))
    assert.is_nil(show().secrets)
  end)

  describe("with unset", function()
    it("goes back to the default, or to nothing", function()
      create()
      update{ config = { depth = 5, mode = "full" } }
      assert.same({ "depth", "mode" }, update{ unset = { "depth", "mode" } }.changed)
      assert.same({ path = "/a", depth = 3, region = "eu" }, show().config)
    end)

    it("of what is required is refused", function()
      create()
      local err = rt:refused("backup.update", { backup = "b", unset = { "path" } })
      assert.equal("path is required", err.fields.path)
    end)

    it("of an unknown name, and of one that is set too, is refused", function()
      create()
      local err = rt:refused("backup.update", { backup = "b", unset = { "pahh", "mode" }, config = { mode = "full" } })
      assert.same({ pahh = "unknown option; did you mean 'path'?", mode = "cannot be set and unset at once" }, err.fields)
    end)

    it("takes away what is no option any more", function()
      create()
      rt:provider("p", execute, "optionTypes = { { fieldName = 'path' } }")
      assert.same({ "region" }, update{ unset = { "region" } }.changed)
    end)

    it("takes a password away", function()
      create("function provider.validateBackup(backup) spy('key', backup.secrets and backup.secrets.key or false) end")
      assert.same({ "key" }, update{ unset = { "key" } }.changed)
      assert.same({ "k1", false }, rt:spied("key"))
    end)
  end)

  describe("calls", function()
    it("configureBackup, validateBackup, updateBackup in this order, with the supplied changes and the whole Backup", function()
      create([[
        for _, name in ipairs{ "configureBackup", "validateBackup" } do
          provider[name] = function(backup, config, opts)
            spy(name, { config, backup:getConfigProperty("path"), backup:getConfigProperty("depth"), opts.trigger, opts.requestedBy or false, opts.note or false })
            config.path = "mine"
          end
        end
        function provider.updateBackup(backup, previous, opts)
          spy("update", { backup:getConfigProperty("path"), previous:getConfigProperty("path"), opts.trigger, opts.attempt, opts.note })
        end]])
      update{ config = { depth = "4" }, opts = { note = "n" }, requestedBy = "ada" }
      assert.same({ { depth = "4" }, "/a", 4, "update", "ada", "n" }, rt:spied("configureBackup")[2])
      assert.same({ { depth = "4" }, "/a", 4, "update", "ada", "n" }, rt:spied("validateBackup")[2])
      assert.same({ { "/a", "/a", "update", 1, "n" } }, rt:spied("update"))
    end)

    it("updateBackup with the Backup as it was, which cannot be written", function()
      create([[
        function provider.updateBackup(backup, previous)
          spy("previous", { previous.name, previous.config, previous.secrets.key, backup.name, backup.secrets.key })
          spy("wrote", pcall(function() previous.externalId = "x" end))
          spy("configured", pcall(function() previous:setConfigProperty("a", 1) end))
        end]])
      update{ config = { path = "/b", key = "k2" }, rename = "c" }
      local seen = rt:spied("previous")[1]
      assert.same({ "b", { path = "/a", depth = 3, region = "eu" }, "***", "c", "***" }, { seen[1], seen[2], "***", seen[4], "***" })
      assert.same({ false }, rt:spied("wrote"))
      assert.same({ false }, rt:spied("configured"))
    end)

    it("and keeps what the hooks have written", function()
      create([[
        function provider.configureBackup(backup) backup:setConfigProperty("found.by", "configure") end
        function provider.updateBackup(backup) backup.externalId = "policy-7" return true, "told them" end]])
      local reply = update{ config = { path = "/b" } }
      assert.same({ { "externalId", "path" }, "told them" }, { reply.changed, reply.msg })
      assert.equal("policy-7", show().externalId)
      assert.same({ by = "configure" }, show().config.found)
    end)

    it("no save: what is written is kept once all hooks have passed", function()
      create("function provider.validateBackup(backup, config, opts) if opts.trigger == 'update' then local ok, err = pcall(backup.save, backup) spy('saved', { ok, err.message }) return false, 'no' end end")
      local before = show()
      rt:refused("backup.update", { backup = "b", config = { path = "/b" } })
      local saved = rt:spied("saved")[1]
      assert.is_false(saved[1])
      assert.matches("once all hooks have passed", saved[2])
      same(before)
    end)
  end)

  describe("leaves the stored Backup as it was if", function()
    for _, hook in ipairs{ "configureBackup", "validateBackup", "updateBackup" } do
      for how, code in pairs{ ["return false, 'no room'"] = true, ["return ServiceResponse.error('no room', { path = 'too long' })"] = "invalid", ["error('no room')"] = "provider" } do
        it(hook .. " does: " .. how, function()
          create()
          local before = show()
          provide("function provider." .. hook .. "(backup) backup.externalId = 'learnt' " .. how .. " end")
          local err = rt:refused("backup.update", { backup = "b", config = { path = "/b", key = "k2" }, rename = "c" })
          assert.matches("no room", err.message)
          if code ~= true then assert.equal(code, err.code) end
          same(before)
        end)
      end

      it(hook .. " passes its deadline", function()
        create()
        local before = show()
        provide("function provider." .. hook .. "() sleep(1000) end", ", timeouts = { " .. hook .. " = 4 }")
        local _, err = rt:requestOverTime("backup.update", { backup = "b", config = { path = "/b" } }, 30)
        assert.equal("deadline", err.code)
        same(before)
      end)
    end

    it("the default findings stand; an errors table replaces them", function()
      create()
      rt:refused("backup.update", { backup = "b", config = { mode = "x" } })
      provide("function provider.validateBackup(backup, config, opts) spy('errors', opts.errors) return { success = true, errors = {} } end")
      update{ config = { mode = "x" } }
      assert.same({ { mode = "is none of the choices: full, incremental" } }, rt:spied("errors"))
      assert.equal("x", show().config.mode)
    end)
  end)

  describe("of an option that is createOnly", function()
    it("is refused, per field, and changes nothing", function()
      create()
      local before = show()
      for _, args in ipairs{ { config = { region = "us", path = "/b" } }, { unset = { "region" } } } do
        args.backup = "b"
        local err = rt:refused("backup.update", args)
        assert.same({ "invalid", { region = "can only be set when the Backup is created" } }, { err.code, err.fields })
      end
      same(before)
    end)

    it("is fine if it stays what it is", function()
      create()
      assert.same({ "path" }, update{ config = { region = "eu", path = "/b" } }.changed)
    end)

    it("is carried by updateBackup", function()
      create("function provider.updateBackup(backup, previous) spy('region', { previous.config.region, backup.config.region }) end")
      update{ config = { region = "us" } }
      assert.same({ { "eu", "us" } }, rt:spied("region"))
      assert.equal("us", show().config.region)
    end)
  end)

  describe("to another name", function()
    it("is unique, and results keep the old one", function()
      create()
      local result = rt:run("p")
      rt:ask("backup.create", { name = "other", provider = "p", config = { path = "/x" } })
      assert.equal("exists", rt:refused("backup.update", { backup = "b", rename = "other" }).code)
      assert.equal("invalid", rt:refused("backup.update", { backup = "b", rename = "12" }).code)
      assert.same({ "name" }, update{ rename = "c" }.changed)
      assert.same({ "c", "other" }, rt:names("backup.ls"))
      assert.equal("b", rt:result(result.id).backupName)
      assert.same({ "changed: name; it was called 'b'" }, rt:events("backup.updated"))
      assert.equal("b", rt:ask("backup.create", { name = "b", provider = "p", config = { path = "/x" } }).backup.name)
    end)

    it("reserves it while it is going on, and no longer", function()
      create("function provider.validateBackup(backup, config, opts) if opts.trigger == 'update' then sleep(10) return false, 'no' end end")
      local id = rt:submit("backup.update", { backup = "b", rename = "c" })
      rt:settle()
      assert.equal("exists", rt:refused("backup.create", { name = "c", provider = "p", config = { path = "/x" } }).code)
      rt:advance(10)
      assert.is_nil((rt:await(id)))
      rt:ask("backup.create", { name = "c", provider = "p", config = { path = "/x" } })
    end)
  end)

  describe("of what it refers to", function()
    before_each(function()
      provide("function provider.validateBackup(backup, config, opts) spy('refs', { backup.connection and backup.connection.name or false, backup.computeServer and backup.computeServer.name or false, backup.cloud and backup.cloud.name or false }) end\n" ..
        "function provider.updateBackup(backup, previous) spy('was', previous.connection and previous.connection.name or false) end")
      rt:ask("connection.add", { name = "c1", provider = "p" })
      rt:ask("connection.add", { name = "c2", provider = "p" })
      rt:ask("cloud.add", { name = "aws" })
      rt:ask("cloud.add", { name = "gcp" })
      rt:ask("server.add", { name = "web", cloud = "aws" })
      rt:ask("server.add", { name = "bare" })
    end)

    it("is seen by the hooks and stored", function()
      rt:create("p", { config = { path = "/a" }, connection = "c1", server = "web" })
      assert.same({ "connection", "server" }, update{ connection = "c2", server = "bare" }.changed)
      assert.same({ { "c1", "web", "aws" }, { "c2", "bare", false } }, rt:spied("refs"))
      assert.same({ "c2", "bare" }, { show().connection, show().server })
      update{ cloud = "gcp" }
      assert.same({ "bare", "gcp" }, { show().server, show().cloud })
      update{ server = "" }
      assert.same({ "none", "gcp" }, { show().server or "none", show().cloud })
      update{ server = "web" }
      assert.equal("aws", show().cloud)
    end)

    it("refuses a connection of another provider, one that is not enabled, and none where one is needed", function()
      rt:create("p", { config = { path = "/a" }, connection = "c1" })
      rt:provider("q", execute)
      rt:ask("connection.add", { name = "cq", provider = "q" })
      assert.matches("is for the provider 'q', not 'p'", rt:refused("backup.update", { backup = "b", connection = "cq" }).message)
      rt:ask("connection.update", { connection = "c2", enabled = false })
      assert.matches("connection update c2 %-%-enable", rt:refused("backup.update", { backup = "b", connection = "c2" }).message)
      provide("", ", connectionOptionTypes = { { fieldName = 'username', required = true } }")
      assert.matches("needs a connection", rt:refused("backup.update", { backup = "b", connection = "" }).message)
      assert.equal("not_found", rt:refused("backup.update", { backup = "b", server = "nosuch" }).code)
      assert.equal("c1", show().connection)
    end)
  end)

  describe("beside what is going on", function()
    it("waits for another one, and both count", function()
      create("function provider.validateBackup(backup, config, opts) if opts.trigger == 'update' then sleep(10) end end")
      local first = rt:submit("backup.update", { backup = "b", config = { path = "/b" } })
      local second = rt:submit("backup.update", { backup = "b", config = { depth = 9 } })
      rt:advance(10)
      assert.is_true(rt:isAnswered(first))
      assert.is_false(rt:isAnswered(second))
      rt:advance(10)
      assert.same({ "depth" }, rt:await(second).changed)
      assert.same({ path = "/b", depth = 9, region = "eu" }, show().config)
    end)

    it("lets runs begin, with the Backup as it is stored", function()
      create("function provider.validateBackup(backup, config, opts) if opts.trigger == 'update' then sleep(10) end end\n" ..
        "function provider.executeBackup(backup, result) spy('ran', backup.config.path) result.status = 'SUCCEEDED' end")
      local id = rt:submit("backup.update", { backup = "b", config = { path = "/b" } })
      rt:settle()
      rt:run("p")
      rt:advance(10)
      rt:await(id)
      rt:run("p")
      assert.same({ "/a", "/b" }, rt:spied("ran"))
    end)

    it("lets a removal wait", function()
      create("function provider.updateBackup() sleep(10) end function provider.deleteBackup() return true end")
      local id = rt:submit("backup.update", { backup = "b", config = { path = "/b" } })
      rt:settle()
      local removal = rt:submit("backup.rm", { backup = "b" })
      rt:settle()
      assert.is_false(rt:isAnswered(removal))
      rt:advance(10)
      assert(rt:await(id))
      assert(rt:await(removal))
    end)

    it("keeps what a run writes to the Backup meanwhile", function()
      create("function provider.validateBackup(backup, config, opts) if opts.trigger == 'update' then sleep(10) end end\n" ..
        "function provider.executeBackup(backup, result) backup:setConfigProperty('lastFull', result.uuid) backup:setConfigProperty('depth', 4) backup.externalId = 'seen' result.status = 'SUCCEEDED' end")
      local id = rt:submit("backup.update", { backup = "b", config = { path = "/b" }, unset = { "key" } })
      rt:settle()
      local result = rt:run("p")
      rt:advance(10)
      assert.same({ "path", "key" }, rt:await(id).changed)
      assert.same({ path = "/b", depth = 4, region = "eu", lastFull = result.uuid }, show().config)
      assert.equal("seen", show().externalId)
    end)

    it("is not undone by a run that began before it", function()
      create("function provider.executeBackup(backup, result) sleep(10) backup:setConfigProperty('lastFull', 'x') backup.externalId = 'seen' result.status = 'SUCCEEDED' end")
      rt:ask("backup.run", { backup = "b" })
      rt:settle()
      update{ config = { path = "/b" } }
      rt:advance(10)
      assert.equal("/b", show().config.path)
      assert.equal("seen", show().externalId)
      assert.equal(1, #rt:events("backup.outdated"))
    end)
  end)

  describe("whose end nobody knows", function()
    local boom = "function provider.updateBackup(backup, previous, opts) spy('try', { backup.config.path, opts.attempt }) " .. acts .. "if backup.config.path == '/boom' then error('lost') end end"

    it("stores nothing, and puts the Backup into attention with what to type", function()
      create(boom)
      local before = show()
      local err = rt:refused("backup.update", { backup = "b", config = { path = "/boom" } })
      assert.equal("attention", err.code)
      assert.matches("may have changed 'b' outside", err.message)
      assert.matches("orrery backup update b", err.message)
      assert.equal("unknown_update", show().attention)
      assert.same({ { name = "b", providerCode = "p", attention = "unknown_update" } }, rt:ask("status").attentionBackups)
      before.attention = "unknown_update"
      same(before)
      assert.same({ { "/boom", 1 } }, rt:spied("try"))
    end)

    it("is well once an update has gone through, be it one without changes", function()
      create(boom)
      rt:refused("backup.update", { backup = "b", config = { path = "/boom" } })
      update{}
      assert.same({ "/boom", "/a" }, { rt:spied("try")[1][1], rt:spied("try")[2][1] })
      assert.is_nil(show().attention)
      assert.same({}, rt:ask("status").attentionBackups)
    end)

    it("does not stop its schedule, nor runs", function()
      provide(boom)
      rt:create("p", { config = { path = "/a" }, schedule = "@every 60s" })
      rt:refused("backup.update", { backup = "b", config = { path = "/boom" } })
      rt:advance(121)
      assert.equal(2, #rt:ask("result.ls", {}))
    end)

    it("is tried again where the provider is idempotent", function()
      rt:provider("p", execute .. "local tries = 0 function provider.updateBackup(backup, previous, opts) tries = tries + 1 spy('try', opts.attempt) " .. acts .. "if tries < 3 then error('lost') end end", options .. ", idempotent = true")
      rt:create("p", { config = { path = "/a" } })
      update{ config = { path = "/b" } }
      assert.same({ 1, 2, 3 }, rt:spied("try"))
      assert.equal("/b", show().config.path)
    end)

    it("is a plain error if nothing had left", function()
      create("function provider.updateBackup() error('before anything') end")
      assert.equal("provider", rt:refused("backup.update", { backup = "b", config = { path = "/b" } }).code)
      assert.is_nil(show().attention)
    end)

    it("is found by the next runtime", function()
      local lasting = support.openLasting()
      lasting:provider("p", execute .. "function provider.updateBackup() " .. acts .. " sleep(1000) end function provider.validateBackup(b, c, opts) if b.config.depth == 4 then sleep(1000) end end", options)
      lasting:create("p", { config = { path = "/a", key = "k" } })
      lasting:submit("backup.update", { backup = "b", config = { path = "/b" } })
      lasting:settle()
      lasting:reopen()
      local backup = lasting:ask("backup.show", { backup = "b" })
      assert.same({ "unknown_update", "/a" }, { backup.attention, backup.config.path })
      assert.same({ "unknown_update: updateBackup may have changed it outside: the runtime ended during the call" }, lasting:events("backup.attention"))
      lasting:reopen()
      assert.equal(1, #lasting:events("backup.attention"))
      lasting:submit("backup.update", { backup = "b", config = { depth = 4 } }) -- this time it ends in validateBackup
      lasting:settle()
      lasting:reopen()
      assert.same({ path = "/a", depth = 3 }, lasting:ask("backup.show", { backup = "b" }).config)
      assert.equal("unknown_update", lasting:ask("backup.show", { backup = "b" }).attention)
    end)
  end)

  describe("of the schedule", function()
    it("counts from now, and arms it", function()
      provide()
      rt:create("p", { config = { path = "/a" } })
      update{ schedule = "@every 60s" }
      rt:advance(61)
      assert.equal(1, #rt:ask("result.ls", {}))
      update{ schedule = "@every 300s" }
      rt:advance(120)
      assert.equal(1, #rt:ask("result.ls", {}))
      rt:advance(200)
      assert.equal(2, #rt:ask("result.ls", {}))
      assert.same({ "schedule", "timeZone", "paused" }, update{ noSchedule = true }.changed)
      rt:advance(1000)
      assert.equal(2, #rt:ask("result.ls", {}))
    end)

    it("lets a fire go first that comes while the hooks run", function()
      create("function provider.validateBackup(backup, config, opts) if opts.trigger == 'update' then sleep(40) end end", { schedule = "@every 40s" })
      local id = rt:submit("backup.update", { backup = "b", schedule = "@every 300s", config = { path = "/b" } })
      rt:settle()
      rt:advance(40) -- the fire and the end of the hook at once
      for _ = 1, 3 do rt:advance(1) end
      assert(rt:await(id))
      local results = rt:ask("result.ls", {})
      assert.equal(1, #results)
      assert.equal(results[1].createdDate, results[1].scheduledDate)
      for _ = 1, 330 do rt:advance(1) end
      assert.equal(2, #rt:ask("result.ls", {}))
      assert.same({}, rt:events("schedule.skipped"))
    end)

    it("of which nothing is said may be one that cannot be used", function()
      create(nil, { schedule = "@every 60s" })
      assert.equal("invalid", rt:refused("backup.update", { backup = "b", timeZone = "No/Where" }).code)
      assert.equal("invalid", rt:refused("backup.update", { backup = "b", schedule = "0 0 30 2 *" }).code)
      assert.equal("UTC", show().timeZone)
    end)
  end)

  it("sets refreshInterval, retention and retries, and takes them away", function()
    create("function provider.deleteBackupResult() return true end")
    assert.same({ "keepLast", "keepDays", "retryAttempts", "refreshInterval" }, update{ refreshInterval = 5, keepLast = 3, keepDays = 2, retryAttempts = 2 }.changed)
    assert.equal("invalid", rt:refused("backup.update", { backup = "b", keepLast = 0 }).code)
    assert.same({ "keepLast", "keepDays", "retryAttempts", "refreshInterval" }, update{ refreshInterval = 0, noRetention = true, retryAttempts = 0 }.changed)
  end)

  it("has what is not kept any more deleted at once", function()
    create("function provider.deleteBackupResult() return true end")
    for _ = 1, 3 do rt:run("p") end
    update{ keepLast = 1 }
    rt:settle()
    rt:advance(5)
    assert.equal(1, #rt:ask("result.ls", {}))
  end)

  it("needs its provider, and cannot be of another one", function()
    create()
    assert.equal("not_found", rt:refused("backup.update", { backup = "nosuch" }).code)
    local _, err = rt:request("backup.update", { backup = "b", provider = "q" })
    assert.same({ "invalid", "unknown argument" }, { err.code, err.fields.provider })
  end)
end)
