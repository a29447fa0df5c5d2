-- deleteBackupResult and deleteBackup: a record goes only when its hook has said so.
local support = require "support"

local ends = "function provider.executeBackup(b, r) r.externalId = 'snap-1' r.status = 'SUCCEEDED' end\n"

describe("the deletion of a result", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function remove(more)
    local args = { result = "1" }
    for key, value in pairs(more or {}) do args[key] = value end
    return rt:request("result.rm", args)
  end

  it("calls deleteBackupResult, and then the record is gone with its journal", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult(r) spy('deleted', r.externalId) return true end")
    rt:run("p")
    assert.equal(1, assert(remove()).removed)
    assert.same({ "snap-1" }, rt:spied("deleted"))
    assert.equal("not_found", rt:refused("result.show", { result = "1" }).code)
    assert.same({}, rt:ask("result.ls"))
  end)

  it("tells the msg of the hook", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult() return ServiceResponse.success(nil, 'freed 3 GB') end")
    rt:run("p")
    assert.equal("freed 3 GB", assert(remove()).msg)
  end)

  for what, answer in pairs{ ["false"] = "return false, 'locked'", ["ServiceResponse.error"] = "return ServiceResponse.error('locked')",
                             ["a table without success"] = "return { msg = 'locked' }" } do
    it("is halted by " .. what .. ": the record is retained and stays usable", function()
      rt:provider("p", ends .. "local n = 0 function provider.deleteBackupResult() n = n + 1 if n == 1 then " .. answer .. " end return true end")
      rt:run("p")
      local _, err = remove()
      assert.equal("halted", err.code)
      assert.matches("locked", err.message)
      local result = rt:result(1)
      assert.same({ "SUCCEEDED", "snap-1" }, { result.status, result.externalId })
      assert(remove())
      assert.same({}, rt:ask("result.ls"))
    end)
  end

  it("is not done by a forgotten return", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult() end")
    rt:run("p")
    local _, err = rt:requestOverTime("result.rm", { result = "1" })
    assert.equal("provider", err.code)
    assert.matches("deleteBackupResult.*returned nothing", err.message)
    assert.equal(1, #rt:ask("result.ls"))
  end)

  for what, code in pairs{ ["a raised error"] = "error('boom')", ["its timeout"] = "sleep(100)", ["retry"] = "return ServiceResponse.retry('busy')",
                           ["success that is still in progress"] = "return { success = true, inProgress = true }" } do
    it("is tried again after " .. what, function()
      rt:provider("p", ends .. "function provider.deleteBackupResult(r, opts) spy('attempt', opts.attempt) if opts.attempt < 3 then " .. code .. " end return true end",
        "timeouts = { deleteBackupResult = 5 }")
      rt:run("p")
      assert(rt:requestOverTime("result.rm", { result = "1" }))
      assert.same({ 1, 2, 3 }, rt:spied("attempt"))
      assert.same({}, rt:ask("result.ls"))
    end)

    it("that keeps failing by " .. what .. " ends as by false: the record is retained", function()
      rt:provider("p", ends .. "function provider.deleteBackupResult(r, opts) spy('attempt', opts.attempt) " .. code .. " end", "timeouts = { deleteBackupResult = 5 }")
      rt:run("p")
      local _, err = rt:requestOverTime("result.rm", { result = "1" })
      assert.is_table(err)
      assert.is_true(#rt:spied("attempt") > 1)
      assert.equal("SUCCEEDED", rt:result(1).status)
    end)
  end

  it("is refused where there is no deleteBackupResult", function()
    rt:provider("p", ends)
    rt:run("p")
    local _, err = remove()
    assert.same({ "refused", 5 }, { err.code, err.exit })
    assert.equal(1, #rt:ask("result.ls"))
  end)

  it("by force drops only the record, and says so", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult() spy('called', true) return true end")
    rt:run("p")
    assert.matches("only the record", assert(remove{ force = true }).warning)
    assert.same({}, rt:spied("called"))
    assert.same({}, rt:ask("result.ls"))
    assert.matches("snap%-1", rt:events("result.forgotten")[1])
  end)

  it("by force lists what may still be outside, until somebody has seen to it", function()
    rt:provider("p", ends)
    local uuid = rt:run("p").uuid
    assert.same({}, rt:ask("orphans.ls"))
    assert(remove{ force = true, requestedBy = "ann" })
    local orphan = rt:ask("orphans.ls")[1]
    assert.same({ uuid, "result", "forced", "b", "p", "snap-1", "SUCCEEDED", "ann" }, { orphan.uuid, orphan.kind, orphan.reason, orphan.backupName,
      orphan.providerCode, orphan.externalId, orphan.status, orphan.requestedBy })
    assert.equal(1, rt:ask("status").orphans)
    assert.same({}, rt:ask("orphans.ls", { provider = "other" }))
    assert.equal(1, rt:ask("orphans.rm", { orphan = uuid:sub(1, 8) }).removed)
    assert.same({}, rt:ask("orphans.ls"))
    assert.equal("not_found", rt:refused("orphans.rm", { orphan = uuid }).code)
  end)

  it("by force lists nothing of what certainly left nothing outside", function()
    rt:provider("p", "function provider.executeBackup() return false, 'no' end")
    rt:run("p")
    assert(remove{ force = true })
    assert.same({}, rt:ask("orphans.ls"))
  end)

  it("by its hook lists nothing", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult() return true end")
    rt:run("p")
    assert(remove())
    assert.same({}, rt:ask("orphans.ls"))
  end)

  it("by force works without the hook, too", function()
    rt:provider("p", ends)
    rt:run("p")
    assert(remove{ force = true })
    assert.same({}, rt:ask("result.ls"))
  end)

  it("is refused while it runs", function()
    rt:provider("p", support.starts .. "function provider.deleteBackupResult() return true end")
    rt:run("p")
    local _, err = remove()
    assert.equal("refused", err.code)
    assert.matches("cancel it first", err.message)
  end)

  it("has what the hook wrote to the result kept although it halts", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult(r) r.statusMessage = 'held until May' r:setConfigProperty('hold', true) return false, 'held' end")
    rt:run("p")
    remove()
    assert.same({ "held until May", { hold = true } }, { rt:result(1).statusMessage, rt:result(1).config })
  end)

  it("has what the hook wrote to the Backup kept if it succeeds", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult(r) r.backup:setConfigProperty('chain', 'broken') return true end")
    rt:run("p")
    assert(remove())
    assert.same({ chain = "broken" }, rt:ask("backup.show", { backup = "b" }).config)
  end)

  it("writes a journal: the intent is there before the hook runs", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult(r) sleep(10) return false, 'no' end")
    rt:run("p")
    local id = rt:submit("result.rm", { result = "1" })
    rt:settle()
    local op = rt:result(1).ops[2]
    assert.same({ "deleteBackupResult", "intent" }, { op.hook, op.state })
    rt:advance(10)
    rt:await(id)
    op = rt:result(1).ops[2]
    assert.same({ "deleteBackupResult", "done", "halt" }, { op.hook, op.state, op.outcome })
  end)
end)

describe("the deletion of a Backup", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function remove(more)
    local args = { backup = "b" }
    for key, value in pairs(more or {}) do args[key] = value end
    return rt:request("backup.rm", args)
  end

  it("calls deleteBackup, and then the record is gone and its name free", function()
    rt:provider("p", ends .. "function provider.deleteBackup(b) spy('deleted', b.name) return true end")
    rt:create("p")
    assert.equal("b", assert(remove()).removed)
    assert.same({ "b" }, rt:spied("deleted"))
    assert.same({}, rt:names("backup.ls"))
    assert.equal("b", rt:create("p").name)
  end)

  it("needs no deleteBackup: there is nothing outside", function()
    rt:provider("p", ends)
    rt:create("p")
    assert(remove())
    assert.same({}, rt:names("backup.ls"))
  end)

  it("is halted by false: the record is retained and stays usable", function()
    rt:provider("p", ends .. "function provider.deleteBackup() return false, 'policy in use' end")
    rt:create("p")
    local _, err = remove()
    assert.equal("halted", err.code)
    assert.matches("policy in use", err.message)
    assert.same({ "b" }, rt:names("backup.ls"))
    assert.equal("SUCCEEDED", rt:run("p").status)
  end)

  it("is not done by a forgotten return in deleteBackup: it deletes nothing", function()
    rt:provider("p", ends .. "function provider.deleteBackup() end")
    rt:create("p")
    local _, err = rt:requestOverTime("backup.rm", { backup = "b" })
    assert.matches("deleteBackup.*returned nothing", err.message)
    assert.same({ "b" }, rt:names("backup.ls"))
  end)

  for what, code in pairs{ ["a raised error"] = "error('boom')", ["its timeout"] = "sleep(100)" } do
    it("is tried again after " .. what .. ", then ends as by false", function()
      rt:provider("p", ends .. "function provider.deleteBackup(b, opts) spy('attempt', opts.attempt) " .. code .. " end", "timeouts = { deleteBackup = 5 }")
      rt:create("p")
      local _, err = rt:requestOverTime("backup.rm", { backup = "b" })
      assert.is_table(err)
      assert.is_true(#rt:spied("attempt") > 1)
      assert.same({ "b" }, rt:names("backup.ls"))
      rt:advance(3 * 3600) -- pending_deletion_spec.lua has what becomes of it
      assert.equal("SUCCEEDED", rt:run("p").status)
    end)
  end

  it("is refused while results exist", function()
    rt:provider("p", ends .. "function provider.deleteBackupResult() return true end")
    rt:run("p")
    local _, err = remove()
    assert.equal("refused", err.code)
    assert.matches("1 result", err.message)
    assert.same({ "b" }, rt:names("backup.ls"))
  end)

  it("with its results takes each through its hook, then deleteBackup", function()
    rt:provider("p", ends .. [[
      function provider.deleteBackupResult(r) spy("order", r.id) return true end
      function provider.deleteBackup() spy("order", "backup") return true end]])
    for _ = 1, 3 do rt:run("p") end
    assert.equal(3, assert(remove{ withResults = true }).results)
    local order = rt:spied("order")
    assert.equal("backup", table.remove(order))
    table.sort(order)
    assert.same({ 1, 2, 3 }, order)
    assert.same({}, rt:ask("result.ls"))
  end)

  it("with its results is halted by the first that is not deleted: it and the rest are kept", function()
    rt:provider("p", ends .. [[
      function provider.deleteBackupResult(r) if r.id == 2 then return false, "held" end return true end
      function provider.deleteBackup() spy("backup", true) return true end]])
    for _ = 1, 3 do rt:run("p") end
    local _, err = remove{ withResults = true }
    assert.matches("held", err.message)
    local ids = {}
    for _, result in ipairs(rt:ask("result.ls")) do ids[result.id] = true end
    assert.is_true(ids[2])
    assert.is_true(#rt:ask("result.ls") == 2)
    assert.same({}, rt:spied("backup"))
    assert.same({ "b" }, rt:names("backup.ls"))
  end)

  it("by force drops only records", function()
    rt:provider("p", ends .. [[
      function provider.deleteBackupResult(r) spy("called", true) return true end
      function provider.deleteBackup() spy("called", true) return true end]])
    rt:run("p")
    assert.matches("only the records", assert(remove{ withResults = true, force = true }).warning)
    assert.same({}, rt:spied("called"))
    assert.same({}, rt:names("backup.ls"))
  end)

  it("by force lists the Backup where something was made for it outside, and each result once", function()
    rt:provider("p", ends .. "function provider.createBackup(b) b.externalId = 'policy-1' return true end")
    local uuid = rt:run("p").backupId and rt:ask("backup.show", { backup = "b" }).uuid
    rt:run("p")
    assert(remove{ withResults = true, force = true })
    local orphans = rt:ask("orphans.ls")
    assert.same({ 3, "backup", uuid, "policy-1", "result", "result" },
      { #orphans, orphans[1].kind, orphans[1].uuid, orphans[1].externalId, orphans[2].kind, orphans[3].kind })
  end)

  it("says force to the hooks only where it is so", function()
    rt:provider("p", ends .. "function provider.deleteBackup(b, opts) spy('force', opts.force) return true end")
    rt:create("p")
    assert(remove())
    assert.same({ false }, rt:spied("force"))
  end)

  it("has what a halted deleteBackup wrote to the Backup not kept: only on success", function()
    rt:provider("p", ends .. "function provider.deleteBackup(b) b.externalId = 'half' return false, 'no' end")
    rt:create("p")
    remove()
    assert.is_nil(rt:ask("backup.show", { backup = "b" }).externalId)
  end)

  it("ends its schedule", function()
    rt:provider("p", ends)
    rt:create("p", { schedule = "@every 10s" })
    assert(remove())
    rt:advance(60)
    assert.same({}, rt:ask("result.ls"))
  end)
end)
