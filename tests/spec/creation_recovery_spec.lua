-- createBackup that may have made something outside and did not say so: made again, looked up, or left to a person.
local support = require "support"

local needs = "needs = { exec = { 'true' } }, "
local act = "process.run{ argv = { 'true' } }\n"

describe("a createBackup that has sent something", function()
  local rt
  before_each(function() rt = support.openLasting() end)
  after_each(support.clean)

  local function provider(hooks, declaration)
    rt:provider("p", support.starts .. hooks, needs .. (declaration or ""))
  end

  --- The runtime ends while createBackup, which has sent something, waits. The next one has `hooks`.
  local function cut(hooks, declaration, more)
    provider("function provider.createBackup(b) spy('made', b.uuid) " .. act .. " sleep(1000) end", declaration)
    local args = { name = "b", provider = "p" }
    for key, value in pairs(more or {}) do args[key] = value end
    rt:submit("backup.create", args)
    for _ = 1, 50 do rt:settle() end
    assert.equal(1, #rt:spied("made"))
    provider(hooks, declaration)
    rt:reopen()
    return rt:spied("made")[1]
  end

  describe("before the runtime ended", function()
    it("is made again where the other side knows the key: with the same uuid", function()
      local uuid = cut("function provider.createBackup(b, opts) spy('again', b.uuid) return true end", "idempotent = true")
      assert.same({ uuid }, rt:spied("again"))
      assert.equal(uuid, rt:ask("backup.show", { backup = "b" }).uuid)
    end)

    it("is made again with what it refers to, its options and the caller's", function()
      provider("function provider.createBackup(b) " .. act .. " sleep(1000) end", "idempotent = true, optionTypes = { { fieldName = 'path' }, { fieldName = 'key', inputType = 'password' } }")
      rt:ask("cloud.add", { name = "east" })
      rt:ask("server.add", { name = "s", cloud = "east" })
      rt:ask("connection.add", { name = "v", provider = "p", config = { serviceUrl = "https://v" } })
      rt:submit("backup.create", { name = "b", provider = "p", connection = "v", server = "s", config = { path = "/a", key = "geheim" }, opts = { own = "o" }, requestedBy = "ann", schedule = "0 2 * * *" })
      for _ = 1, 50 do rt:settle() end
      provider([[function provider.createBackup(b, opts)
          spy('again', { b.connection.name, b.computeServer.name, b.computeServer.cloud.name, b:getConfigProperty('path'), b:getConfigProperty('key') == 'geheim', opts.own, opts.requestedBy, opts.attempt })
          b.externalId = 'policy-1' return true
        end]], "idempotent = true, optionTypes = { { fieldName = 'path' }, { fieldName = 'key', inputType = 'password' } }")
      rt:reopen()
      assert.same({ { "v", "s", "east", "/a", true, "o", "ann", 2 } }, rt:spied("again"))
      local backup = rt:ask("backup.show", { backup = "b" })
      assert.same({ "policy-1", "0 2 * * *", "v", "s" }, { backup.externalId, backup.schedule, backup.connection, backup.server })
      assert.same({}, rt:ask("status").drafts)
      assert.equal("IN_PROGRESS", rt:run("p").status)
    end)

    it("is looked up when what was sent can surely be found, and adopted", function()
      local uuid = cut("function provider.recoverBackup(b, opts) spy('looked up', { b.uuid, opts.sentDate }) b.externalId = 'policy-7' return true end", "visibilityDelay = 45")
      assert.same({}, rt:spied("looked up"))
      assert.same({}, rt:ask("status").drafts) -- nobody has to look
      assert.equal("exists", rt:refused("backup.create", { name = "b", provider = "p" }).code)
      rt:advance(46)
      assert.equal(uuid, rt:spied("looked up")[1][1])
      assert.is_true(rt:spied("looked up")[1][2] <= rt:now() - 45000)
      assert.same({ "policy-7", uuid }, { rt:ask("backup.show", { backup = "b" }).externalId, rt:ask("backup.show", { backup = "b" }).uuid })
      rt:reopen()
      assert.equal(1, #rt:spied("looked up"))
      assert.same({ "b" }, rt:names("backup.ls"))
    end)

    it("is adopted without an id of its own where that is said", function()
      cut("function provider.recoverBackup(b) return ServiceResponse.success{ found = true } end")
      assert.same({ "b" }, rt:names("backup.ls"))
    end)

    it("is made again where it is certainly absent", function()
      local uuid = cut("function provider.recoverBackup() return ServiceResponse.success{ found = false } end\nfunction provider.createBackup(b) spy('again', b.uuid) b.externalId = 'policy-2' return true end")
      assert.same({ uuid }, rt:spied("again"))
      assert.equal("policy-2", rt:ask("backup.show", { backup = "b" }).externalId)
    end)

    it("is asked about again until the budget is spent, then a person has to look", function()
      cut("function provider.recoverBackup() spy('asked', true) return ServiceResponse.retry('cannot tell') end")
      rt:advance(30)
      assert.same({}, rt:ask("status").drafts)
      rt:advance(3 * 3600)
      assert.equal(10, #rt:spied("asked"))
      assert.equal("b", rt:ask("status").drafts[1].name)
      assert.is_true(rt:logged("backup resolve"))
      assert(rt:request("backup.resolve", { backup = "b", created = true, externalId = "policy-9" }))
      assert.equal("policy-9", rt:ask("backup.show", { backup = "b" }).externalId)
    end)

    it("may be resolved by a person while it is being found out", function()
      cut("function provider.recoverBackup() spy('asked', true) return ServiceResponse.retry('cannot tell') end")
      rt:advance(10)
      local asked = #rt:spied("asked")
      assert(rt:request("backup.resolve", { backup = "b", discard = true }))
      rt:advance(3600)
      assert.equal(asked, #rt:spied("asked"))
      assert.same({}, rt:names("backup.ls"))
      provider("")
      rt:create("p")
      assert.same({ "b" }, rt:names("backup.ls"))
    end)

    it("is turned down where createBackup says no the second time: the name is free", function()
      cut("function provider.createBackup() return false, 'no such plan' end", "idempotent = true")
      assert.same({}, rt:names("backup.ls"))
      assert.same({}, rt:ask("status").drafts)
      assert.matches("no such plan", rt:events("backup.halted")[1])
      provider("")
      rt:create("p")
    end)

    it("waits for a person where it can be neither repeated nor looked up", function()
      cut("")
      rt:advance(3600)
      assert.equal("b", rt:ask("status").drafts[1].name)
    end)
  end)

  describe("and then fails", function()
    it("is looked up, and whoever asked for it hears of the end", function()
      provider("function provider.createBackup() " .. act .. " error('lost') end\nfunction provider.recoverBackup(b) b.externalId = 'policy-3' return true end", "visibilityDelay = 20")
      local id = rt:submit("backup.create", { name = "b", provider = "p" })
      rt:settle()
      assert.is_false(rt:isAnswered(id))
      rt:advance(21)
      local reply = assert(rt:await(id))
      assert.equal("policy-3", reply.backup.externalId)
    end)

    it("tells whoever asked that it is not known yet, and goes on", function()
      provider("local n = 0 function provider.createBackup() " .. act .. " error('lost') end\nfunction provider.recoverBackup(b) n = n + 1 if n < 5 then return ServiceResponse.retry('cannot tell') end b.externalId = 'policy-4' return true end")
      local _, err = rt:requestOverTime("backup.create", { name = "b", provider = "p" }, 60)
      assert.equal("attention", err.code)
      assert.matches("being found out", err.message)
      rt:advance(300)
      assert.equal("policy-4", rt:ask("backup.show", { backup = "b" }).externalId)
      assert.same({}, rt:ask("status").drafts)
    end)
  end)
end)
