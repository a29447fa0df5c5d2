-- configureBackup, validateBackup, createBackup: what each gets, what halts, what is persisted.
local support = require "support"

local execute = "function provider.executeBackup() return true end\n"

describe("the creation of a Backup", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function refused(provider, more)
    local args = { name = "b", provider = provider }
    for key, value in pairs(more or {}) do args[key] = value end
    local err = rt:refused("backup.create", args)
    assert.same({}, rt:names("backup.ls"))
    return err
  end

  it("calls configureBackup, then validateBackup, then createBackup", function()
    rt:provider("p", execute .. [[
      function provider.configureBackup() spy("order", "configure") end
      function provider.validateBackup() spy("order", "validate") end
      function provider.createBackup() spy("order", "create") end]])
    rt:create("p")
    assert.same({ "configure", "validate", "create" }, rt:spied("order"))
  end)

  it("needs none of them", function()
    rt:provider("p", execute)
    assert.equal("b", rt:create("p").name)
  end)

  for _, hook in ipairs{ "configureBackup", "validateBackup", "createBackup" } do
    it("stores no Backup if " .. hook .. " answers false, and tells its msg", function()
      rt:provider("p", execute .. "function provider." .. hook .. "() return false, 'no room outside' end")
      assert.matches("no room outside", refused("p").message)
    end)

    it("stores no Backup if " .. hook .. " answers ServiceResponse.error", function()
      rt:provider("p", execute .. "function provider." .. hook .. "() return ServiceResponse.error('no licence') end")
      assert.matches("no licence", refused("p").message)
    end)

    it("stores no Backup if " .. hook .. " raises, and names hook, file and line", function()
      rt:provider("p", execute .. "function provider." .. hook .. "() error('boom') end")
      local err = refused("p")
      assert.equal("provider", err.code)
      assert.matches(hook .. ".*p:%d+: boom", (err.message:gsub("p%.lua", "p")))
    end)

    it("stores no Backup if " .. hook .. " passes its deadline", function()
      rt:provider("p", execute .. "function provider." .. hook .. "() sleep(1000) end", "timeouts = { " .. hook .. " = 4 }")
      local _, err = rt:requestOverTime("backup.create", { name = "b", provider = "p" }, 30)
      assert.equal("deadline", err.code)
      assert.same({}, rt:names("backup.ls"))
    end)

    it("calls nothing after " .. hook .. " has halted", function()
      rt:provider("p", execute .. [[
        for _, name in ipairs{ "configureBackup", "validateBackup", "createBackup" } do
          provider[name] = function()
            spy("called", name)
            if name == "]] .. hook .. [[" then return false, "halt" end
          end
        end]])
      refused("p")
      local called = rt:spied("called")
      assert.equal(hook, called[#called])
    end)
  end

  it("makes the name free again after a halt", function()
    rt:provider("p", execute .. "function provider.createBackup(backup) return backup:getConfigProperty('ok') == true, 'not ok' end", "optionTypes = { { fieldName = 'ok', inputType = 'checkbox' } }")
    refused("p")
    assert.equal("b", rt:create("p", { config = { ok = true } }).name)
  end)

  describe("config", function()
    local options = "optionTypes = { { fieldName = 'path' }, { fieldName = 'depth', inputType = 'number', defaultValue = 3 } }"

    it("is the hook's own deep copy of the original", function()
      rt:provider("p", execute .. [[
        function provider.configureBackup(backup, config) spy("configure", config) config.path = "changed" config.more = { 1 } end
        function provider.validateBackup(backup, config) spy("validate", config) end]], options)
      rt:create("p", { config = { path = "/a" } })
      assert.same({ { path = "/a" } }, rt:spied("configure"))
      assert.same({ { path = "/a" } }, rt:spied("validate"))
    end)

    it("is the original: before defaults and before conversion", function()
      rt:provider("p", execute .. "function provider.configureBackup(backup, config) spy('config', config) end", options)
      rt:create("p", { config = { depth = "5" } })
      assert.same({ { depth = "5" } }, rt:spied("config"))
    end)

    it("is {} and not nil if nothing was supplied", function()
      rt:provider("p", execute .. "function provider.configureBackup(backup, config) spy('type', type(config)) spy('next', next(config) == nil) end")
      rt:create("p")
      assert.same({ "table" }, rt:spied("type"))
      assert.same({ true }, rt:spied("next"))
    end)

    it("is found in the backup's config map, converted and with defaults, before configureBackup", function()
      rt:provider("p", execute .. [[
        function provider.configureBackup(backup)
          spy("path", backup:getConfigProperty("path"))
          spy("depth", backup:getConfigProperty("depth"))
        end]], options)
      rt:create("p", { config = { path = "/a" } })
      assert.same({ "/a" }, rt:spied("path"))
      assert.same({ 3 }, rt:spied("depth"))
    end)
  end)

  it("lets configureBackup add configuration to the model, which validateBackup and createBackup see and which is persisted", function()
    rt:provider("p", execute .. [[
      function provider.configureBackup(backup) backup:setConfigProperty("found.by", "configure") end
      function provider.validateBackup(backup) spy("validate", backup:getConfigProperty("found.by")) end
      function provider.createBackup(backup) spy("create", backup:getConfigProperty("found.by")) end]])
    assert.same({ found = { by = "configure" } }, rt:create("p").config)
    assert.same({ "configure" }, rt:spied("validate"))
    assert.same({ "configure" }, rt:spied("create"))
  end)

  describe("findings", function()
    local options = [[optionTypes = { { fieldName = "path", fieldLabel = "Path", required = true },
      { fieldName = "depth", inputType = "number" }, { fieldName = "mode", inputType = "select", choices = { "full", "incremental" } } }]]

    it("of required options, types and choices are all reported at once, per field", function()
      rt:provider("p", execute, options)
      local err = refused("p", { config = { depth = "deep", mode = "sideways", pth = "/a" } })
      assert.equal("invalid", err.code)
      assert.matches("required", err.fields.path)
      assert.matches("deep", err.fields.depth)
      assert.matches("choices", err.fields.mode)
      assert.matches("did you mean 'path'", err.fields.pth)
    end)

    it("are handed to configureBackup and validateBackup as opts.errors", function()
      rt:provider("p", execute .. [[
        function provider.configureBackup(backup, config, opts) spy("configure", opts.errors) end
        function provider.validateBackup(backup, config, opts) spy("validate", opts.errors) end]], options)
      refused("p")
      assert.same({ "path" }, (function(t) local k = {} for key in pairs(t) do k[#k + 1] = key end return k end)(rt:spied("configure")[1]))
      assert.same(rt:spied("configure"), rt:spied("validate"))
    end)

    it("are an empty table in opts.errors if there are none", function()
      rt:provider("p", execute .. "function provider.validateBackup(b, c, opts) spy('errors', next(opts.errors) == nil) end")
      rt:create("p")
      assert.same({ true }, rt:spied("errors"))
    end)

    it("stand if validateBackup answers without errors", function()
      for i, answer in ipairs{ "", "return true", "return ServiceResponse.success()", "return { success = true }" } do
        rt:provider("p" .. i, execute .. "function provider.validateBackup() " .. answer .. " end", options)
        assert.matches("required", refused("p" .. i).fields.path)
      end
    end)

    it("are replaced by an empty errors table", function()
      rt:provider("p", execute .. "function provider.validateBackup() return { success = true, errors = {} } end", options)
      assert.equal("b", rt:create("p").name)
    end)

    it("are replaced by the errors of validateBackup, which halt", function()
      rt:provider("p", execute .. "function provider.validateBackup() return ServiceResponse.error(nil, { mode = 'not on Sundays' }) end", options)
      assert.same({ mode = "not on Sundays" }, refused("p").fields)
    end)

    it("are reported together with what configureBackup finds", function()
      rt:provider("p", execute .. "function provider.configureBackup() return ServiceResponse.error('no', { mode = 'bad' }) end", options)
      local fields = refused("p").fields
      assert.equal("bad", fields.mode)
      assert.matches("required", fields.path)
    end)

    it("are not there for createBackup: it is not called", function()
      rt:provider("p", execute .. "function provider.createBackup() spy('created', true) end", options)
      refused("p")
      assert.same({}, rt:spied("created"))
    end)

    it("halt although success is true", function()
      rt:provider("p", execute .. "function provider.validateBackup() return { success = true, errors = { mode = 'bad' } } end")
      assert.same({ mode = "bad" }, refused("p").fields)
    end)

    it("give msg as text that belongs to no field", function()
      rt:provider("p", execute .. "function provider.validateBackup() return ServiceResponse.error('the appliance is full', { mode = 'bad' }) end")
      local err = refused("p")
      assert.equal("the appliance is full", err.message)
      assert.same({ mode = "bad" }, err.fields)
    end)

    it("halt with false and no errors", function()
      rt:provider("p", execute .. "function provider.validateBackup() return false, 'no' end")
      local err = refused("p")
      assert.equal("no", err.message)
      assert.same({}, err.fields)
    end)

    it("halt with a table that says neither success nor errors", function()
      rt:provider("p", execute .. "function provider.validateBackup() return { msg = 'hm' } end")
      assert.matches("hm", refused("p").message)
    end)
  end)

  describe("createBackup", function()
    it("sees no id but a uuid", function()
      rt:provider("p", execute .. "function provider.createBackup(backup) spy('id', backup.id) spy('uuid', backup.uuid) end")
      local backup = rt:create("p")
      assert.same({ false }, rt:spied("id"))
      assert.same({ backup.uuid }, rt:spied("uuid"))
      assert.equal(1, backup.id)
    end)

    it("has what it returns as data persisted", function()
      rt:provider("p", execute .. [[
        function provider.createBackup(backup)
          local made = backup:copy()
          made.externalId = "policy-7"
          made:setConfigProperty("tier", "gold")
          return ServiceResponse.success(made)
        end]])
      rt:create("p")
      local backup = rt:ask("backup.show", { backup = "b" })
      assert.equal("policy-7", backup.externalId)
      assert.same({ tier = "gold" }, backup.config)
    end)

    it("has a copy's values, not the original's, persisted when both were written", function()
      rt:provider("p", execute .. [[
        function provider.createBackup(backup)
          local made = backup:copy()
          backup.externalId = "in place"
          made.externalId = "in data"
          return ServiceResponse.success(made)
        end]])
      assert.equal("in data", rt:create("p").externalId)
    end)

    it("has what it wrote in place persisted without data", function()
      rt:provider("p", execute .. "function provider.createBackup(backup) backup.externalId = 'policy-8' return true end")
      rt:create("p")
      assert.equal("policy-8", rt:ask("backup.show", { backup = "b" }).externalId)
    end)

    it("may return the Backup it was given as data", function()
      rt:provider("p", execute .. "function provider.createBackup(backup) backup.externalId = 'x' return { success = true, data = backup } end")
      assert.equal("x", rt:create("p").externalId)
    end)

    it("breaks the contract with data that is no Backup", function()
      rt:provider("p", execute .. "function provider.createBackup() return ServiceResponse.success{ externalId = 'x' } end")
      local err = refused("p")
      assert.equal("provider", err.code)
      assert.matches("createBackup", err.message)
      assert.matches("must be the Backup", err.message)
    end)

    it("cannot save: not persisted yet, return it as data", function()
      rt:provider("p", execute .. "function provider.createBackup(backup) spy('saved', { pcall(backup.save, backup) }) end")
      rt:create("p")
      local saved = rt:spied("saved")[1]
      assert.is_false(saved[1])
      assert.matches("not persisted yet: return it as data", type(saved[2]) == "table" and saved[2].message or saved[2])
    end)

    it("finds the draft in no list and no other creation of its name while it runs", function()
      rt:provider("p", execute .. "function provider.createBackup() sleep(10) end")
      local id = rt:submit("backup.create", { name = "b", provider = "p" })
      rt:settle()
      assert.same({}, rt:names("backup.ls"))
      assert.equal("not_found", rt:refused("backup.show", { backup = "b" }).code)
      assert.equal("not_found", rt:refused("backup.run", { backup = "b" }).code)
      assert.equal("exists", rt:refused("backup.create", { name = "b", provider = "p" }).code)
      rt:advance(10)
      assert(rt:await(id))
      assert.same({ "b" }, rt:names("backup.ls"))
    end)

    it("that may have made something outside and did not say so leaves the name reserved for somebody to look", function()
      rt:provider("p", execute .. "function provider.createBackup() process.run{ argv = { 'true' } } error('then it broke') end", "needs = { exec = { 'true' } }")
      local err = refused("p")
      assert.equal("attention", err.code)
      assert.matches("then it broke", err.message)
      assert.equal("exists", rt:refused("backup.create", { name = "b", provider = "p" }).code)
      assert.equal("b", rt:ask("status").drafts[1].name)
    end)

    it("that may have made something outside is run again where the provider is idempotent, with the same uuid", function()
      rt:provider("p", execute .. [[
        local tries = 0
        function provider.createBackup(backup, opts)
          tries = tries + 1
          spy("try", { backup.uuid, opts.attempt })
          process.run{ argv = { "true" } }
          if tries == 1 then error("once") end
        end]], "idempotent = true, needs = { exec = { 'true' } }")
      local backup = rt:create("p")
      assert.same({ { backup.uuid, 1 }, { backup.uuid, 2 } }, rt:spied("try"))
    end)
  end)

  it("tells the msg of a successful createBackup", function()
    rt:provider("p", execute .. "function provider.createBackup() return ServiceResponse.success(nil, 'policy made') end")
    assert.equal("policy made", rt:ask("backup.create", { name = "b", provider = "p" }).msg)
  end)

  it("survives a restart", function()
    local lasting = support.openLasting()
    lasting:provider("p", execute .. "function provider.createBackup(backup) backup.externalId = 'policy-9' end", "optionTypes = { { fieldName = 'path' } }")
    lasting:create("p", { config = { path = "/a" } })
    lasting:reopen()
    local backup = lasting:ask("backup.show", { backup = "b" })
    assert.equal("policy-9", backup.externalId)
    assert.same({ path = "/a" }, backup.config)
  end)
end)

describe("the journal of a creation", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  it("goes with a draft that comes to nothing, and an event tells of it", function()
    rt:provider("p", "function provider.configureBackup() return true end function provider.createBackup() return false, 'no room' end\n" ..
      "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
    assert.equal("halted", rt:refused("backup.create", { name = "b", provider = "p" }).code)
    local last = rt:ask("events").events
    assert.same({ "backup.halted", "createBackup: no room" }, { last[#last].kind, last[#last].message })
  end)
end)
