-- What is outside under our keys and not known here: orphans.find. (What force and retries leave: deletion_spec, resolve_spec.)
local support = require "support"

describe("what an external system lists", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  --- The provider lists these, a Lua expression.
  local function lists(expression)
    rt:provider("p", support.starts .. "function provider.deleteBackupResult() return true end\nfunction provider.listBackupResults(connection) spy('asked', connection.name) return ServiceResponse.success(" .. expression .. ") end")
    if not rt:request("connection.show", { connection = "v" }) then rt:ask("connection.add", { name = "v", provider = "p" }) end
  end

  it("is an orphan where no result here has its key", function()
    lists("{ { uuid = '11111111-aaaa', externalId = 'job-1', status = 'IN_PROGRESS' } }")
    local found = rt:ask("orphans.find", { connection = "v" })
    assert.same({ 1, "11111111-aaaa", "job-1", "found", "v", "p", "IN_PROGRESS" },
      { #found, found[1].uuid, found[1].externalId, found[1].reason, found[1].connectionName, found[1].providerCode, found[1].status })
    assert.equal(1, #rt:ask("orphans.ls"))
    assert.same({ "v", "v" }, rt:spied("asked")) -- twice: one may have been deleted meanwhile
    assert.matches("1 outside", rt:events("orphan.found")[1])
  end)

  it("is none where a result has it, or where it is known as one already", function()
    lists("{}")
    rt:create("p", { connection = "v" })
    local uuid = rt:run("p").uuid
    lists(("{ { uuid = %q }, { uuid = 'x-1' } }"):format(uuid))
    assert.equal(1, #rt:ask("orphans.find", { connection = "v" }))
    assert.equal(0, #rt:ask("orphans.find", { connection = "v" }))
    assert.equal("x-1", rt:ask("orphans.ls")[1].uuid)
  end)

  it("is none where it is not listed the second time", function()
    rt:provider("p", support.starts .. "local n = 0 function provider.listBackupResults() n = n + 1 return ServiceResponse.success(n == 1 and { { uuid = 'x-1' } } or {}) end")
    rt:ask("connection.add", { name = "v", provider = "p" })
    assert.same({}, rt:ask("orphans.find", { connection = "v" }))
    assert.same({}, rt:ask("orphans.ls"))
  end)

  it("may be much, and may have entries that are none of ours", function()
    lists("(function() local all = {} for i = 1, 4500 do all[i] = { uuid = 'key-' .. i } end all[4501] = {} return all end)()")
    assert.equal(4500, #rt:ask("orphans.find", { connection = "v" }))
  end)

  it("changes nothing where it cannot be asked", function()
    rt:provider("p", support.starts .. "function provider.listBackupResults() return false, 'not today' end")
    rt:ask("connection.add", { name = "v", provider = "p" })
    assert.matches("not today", rt:refused("orphans.find", { connection = "v" }).message)
    rt:provider("p", support.starts)
    assert.matches("cannot list", rt:refused("orphans.find", { connection = "v" }).message)
    assert.equal("not_found", rt:refused("orphans.find", { connection = "nosuch" }).code)
    assert.same({}, rt:ask("orphans.ls"))
  end)
end)
