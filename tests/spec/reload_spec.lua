-- Providers in files that change while results are under way. On a virtual clock a call sees what was written before it; what is watched,
-- and when it has settled, tests/unit/test_bindings_watch.c has.
local support = require "support"

local folder
-- Saves the provider `p`.
local function save(version, body, declaration)
  local file = assert(io.open(folder .. "/p.lua", "w"))
  file:write(("local provider = Provider { apiVersion = 1, code = 'p', name = 'P', version = %q, %s }\n%s\nreturn provider\n")
    :format(version, declaration or "", body))
  file:close()
end
local function saveBroken() local file = assert(io.open(folder .. "/p.lua", "w")) file:write("if then") file:close() end

-- executeBackup leaves it in progress; a refresh tells by which version it was.
local refreshed = [[
  function provider.executeBackup(b, r) r.externalId = "e" r.status = "IN_PROGRESS" end
  function provider.refreshBackupResult(r) r.statusMessage = "by %s, stored by " .. (r.stateVersion or 1) %s end]]
local function by(version, more) return refreshed:format(version, more or "") end

describe("a provider that changes", function()
  local rt
  before_each(function()
    folder = support.folder()
    rt = support.openLasting { providers = folder }
  end)
  after_each(support.clean)

  local function shown() return rt:ask("provider.show", { provider = "p" }) end
  local function shaOf(id, hook)
    for _, op in ipairs(rt:result(id).ops) do if op.hook == hook then return op.providerSha256 end end
  end

  it("refreshes with the new version what the old one began", function()
    save("1", by "1")
    local id = rt:run("p").id
    rt:advance(61)
    assert.equal("by 1, stored by 1", rt:result(id).statusMessage)
    save("2", by("2", "r.status = 'SUCCEEDED'"))
    rt:advance(61)
    local result = rt:result(id)
    assert.equal("SUCCEEDED", result.status)
    assert.equal("by 2, stored by 1", result.statusMessage)
    assert.equal(shown().sha256, shaOf(id, "refreshBackupResult"))
    assert.not_equal(shown().sha256, shaOf(id, "executeBackup"))
  end)

  it("ends a call that has begun on the version it began with", function()
    save("1", "function provider.executeBackup(b, r) sleep(600) r.status, r.statusMessage = 'SUCCEEDED', 'by 1' end")
    local id = rt:run("p").id
    local old = shown().sha256
    save("2", "function provider.executeBackup(b, r) r.status, r.statusMessage = 'SUCCEEDED', 'by 2' end")
    local other = rt:run("p", { opts = { second = true } }).id
    assert.equal("by 2", rt:result(other).statusMessage)
    assert.equal(1, shown().oldVersions)
    rt:advance(601)
    assert.equal("by 1", rt:result(id).statusMessage)
    assert.equal(old, shaOf(id, "executeBackup"))
    assert.equal(0, shown().oldVersions)
  end)

  it("goes on as it was where the new version is broken, and says why", function()
    save("1", by "1")
    local id = rt:run("p").id
    saveBroken()
    rt:advance(61)
    assert.equal("by 1, stored by 1", rt:result(id).statusMessage)
    assert.match("p.lua:1", shown().problem)
    assert.match("p.lua:1", rt:refused("provider.reload", { provider = "p" }).message)
    assert.equal(1, #rt:ask("provider.ls"))
  end)

  it("goes on after a restart with the last good version where its file is broken or gone", function()
    save("1", by "1")
    local id = rt:run("p").id
    for _, change in ipairs { saveBroken, function() os.remove(folder .. "/p.lua") end } do
      change()
      rt:reopen()
      rt:advance(61)
      local result = rt:result(id)
      assert.equal("by 1, stored by 1", result.statusMessage)
      assert.is_nil(result.attention)
      assert.is_string(shown().problem)
    end
    save("2", by("2", "r.status = 'SUCCEEDED'"))
    rt:advance(61)
    assert.equal("SUCCEEDED", rt:result(id).status)
    assert.is_nil(shown().problem)
  end)

  it("keeps the last ten versions, and goes back to any of them", function()
    for version = 1, 14 do
      save(tostring(version), by(version))
      shown()
    end
    local versions = shown().versions
    assert.equal(10, #versions)
    assert.equal("14", versions[1].version)
    assert.equal("5", versions[10].version)
    assert.equal("13", rt:ask("provider.rollback", { provider = "p" }).version)
    assert.equal("12", rt:ask("provider.rollback", { provider = "p" }).version)
    assert.equal("5", rt:ask("provider.rollback", { provider = "p", to = versions[10].sha256 }).version)
    assert.equal("refused", rt:refused("provider.rollback", { provider = "p" }).code)
    rt:reopen()
    assert.equal("5", shown().version)
    assert.is_true(shown().rolledBack)
    local id = rt:run("p").id
    rt:advance(61)
    assert.equal("by 5, stored by 1", rt:result(id).statusMessage)
    save("15", by "15")
    assert.equal("15", shown().version)
    assert.equal("14", rt:ask("provider.rollback", { provider = "p" }).version)
  end)

  it("with a file that is as it once was has that version at the end of the row", function()
    for _, version in ipairs { "1", "2", "1" } do
      save(version, by(version))
      shown()
    end
    local versions = shown().versions
    assert.same({ "1", "2" }, { versions[1].version, versions[2].version })
    assert.equal("2", rt:ask("provider.rollback", { provider = "p" }).version)
  end)

  it("waits for trust where it needs more, also over a restart, and the old version goes on", function()
    save("1", by "1", "needs = { read = { '/srv' } }")
    local id = rt:run("p").id
    save("2", by "2", "needs = { read = { '/srv', '/etc' } }")
    rt:advance(61)
    assert.equal("by 1, stored by 1", rt:result(id).statusMessage)
    assert.equal("read /etc", shown().waiting)
    assert.match("read /etc", rt:refused("provider.reload", { provider = "p" }).message)
    local read = shown().fileSha256
    save("3", by "3", "needs = { read = { '/srv', '/etc', '/var' } }")
    assert.match("is not '" .. read:sub(1, 8) .. "' any more: .*read /etc, read /var", rt:refused("provider.trust", { provider = "p", sha256 = read:sub(1, 8) }).message)
    save("2", by "2", "needs = { read = { '/srv', '/etc' } }")
    rt:reopen()
    rt:advance(61)
    assert.equal("by 1, stored by 1", rt:result(id).statusMessage)
    assert.same({ read = { "/srv" } }, shown().granted)
    assert.equal("live", rt:ask("provider.trust", { provider = "p", sha256 = shown().fileSha256 }).outcome)
    rt:advance(61)
    assert.equal("by 2, stored by 1", rt:result(id).statusMessage)
    assert.same({ read = { "/srv", "/etc" } }, shown().granted)
    rt:reopen()
    assert.equal("2", shown().version)
  end)

  it("that cannot read what is in progress is refused until that has ended", function()
    save("1", by "1", "stateVersion = 7")
    local id = rt:run("p").id
    assert.equal(7, rt:result(id).stateVersion)
    save("2", by "2", "stateVersion = 8")
    local why = rt:refused("provider.reload", { provider = "p" }).message
    assert.match("version 2 has stateVersion 8", why)
    assert.match("1 result that has not ended and 1 Backup, written with stateVersion 7", why, 1, true)
    save("3", by("3", "r.status = 'SUCCEEDED'") .. "\nfunction provider.configureBackup(backup) backup:setConfigProperty('form', 8) end",
      "stateVersion = 8, readsState = { 7 }")
    rt:advance(61)
    assert.equal("by 3, stored by 7", rt:result(id).statusMessage)
    assert.equal(8, rt:result(id).stateVersion) -- it was written to
    save("4", by "4", "stateVersion = 8")
    assert.match("cannot read what is stored: 1 Backup, written with stateVersion 7", rt:refused("provider.reload", { provider = "p" }).message, 1, true)
  end)

  it("that cannot read an ended result only is live, and a Backup counts by who wrote to it last", function()
    save("1", by("1", "r.status = 'SUCCEEDED'"))
    local id = rt:run("p").id
    rt:advance(61)
    assert.equal("SUCCEEDED", rt:result(id).status)
    save("2", by "2" .. "\nfunction provider.configureBackup(backup) backup:setConfigProperty('form', 2) end", "stateVersion = 2, readsState = { 1 }")
    rt:ask("backup.update", { backup = "b", paused = true })
    assert.equal(2, rt:ask("backup.show", { backup = "b" }).stateVersion)
    save("3", by "3", "stateVersion = 2")
    assert.equal("live", rt:ask("provider.reload", { provider = "p" }).outcome)
    assert.is_nil(rt:result(id).stateVersion)
    assert.match("cannot read", rt:refused("provider.rollback", { provider = "p", to = shown().versions[3].sha256 }).message)
  end)

  it("tells in events what became live", function()
    save("1", by "1")
    shown()
    save("2", by "2")
    shown()
    rt:ask("provider.rollback", { provider = "p" })
    rt:settle()
    local told = {}
    for _, event in ipairs(rt:ask("events", {}).events) do if event.kind:find "^provider%." then table.insert(told, event.kind) end end
    assert.same({ "provider.live", "provider.live", "provider.back" }, told)
  end)
end)
