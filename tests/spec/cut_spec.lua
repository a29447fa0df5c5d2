-- Dying for tests: what orr_commits and orr_cut promise, on which the kit's everyCrash stands.
local support = require "support"
local raw = support.raw

describe("a runtime that is cut", function()
  after_each(support.clean)

  local function cut(rt, commits, seed)
    rt.settings.seed = seed or "2"
    assert(raw.cut(rt.handle, commits, rt.settings))
    rt.replies, rt.updates = {}, {}
    for code, source in pairs(rt.sources) do assert(raw.provider(rt.handle, code, source)) end
    rt:settle()
  end

  it("knows what had committed and nothing after it", function()
    local rt = support.open()
    rt:provider("p", support.starts)
    rt:create("p", { name = "first" })
    local commits = raw.commits(rt.handle)
    rt:create("p", { name = "second" })
    assert.is_true(raw.commits(rt.handle) > commits)
    cut(rt, commits)
    assert.same({ "first" }, rt:names("backup.ls"))
  end)

  it("goes on on the clock of the one before", function()
    local rt = support.open()
    rt:advance(3600)
    local now = rt:now()
    cut(rt, 0)
    assert.equal(now, rt:now())
  end)

  it("asks nobody twice about an execution whose answer had committed, and asks again about one whose had not", function()
    local rt = support.open()
    rt:provider("p", "function provider.executeBackup(backup, backupResult) spy('asked', 1) backupResult.status = 'SUCCEEDED' end")
    rt:run("p")
    local commits = raw.commits(rt.handle)
    assert.equal(1, #rt:spied("asked"))
    cut(rt, commits)
    assert.equal(1, #rt:spied("asked"))
    cut(rt, commits - 1, "3")
    assert.equal(2, #rt:spied("asked"))
    assert.equal("SUCCEEDED", rt:ask("result.ls")[1].status)
  end)

  it("is refused for more commits than there were, on a real clock, and for a store that is a file", function()
    local rt = support.open()
    local ok, err = raw.cut(rt.handle, 99, rt.settings)
    assert.is_nil(ok)
    assert.equal("misuse", err.code)
    assert.equal("there are no 99 commits to cut at", err.message)
    assert.has_error(function() raw.now(rt.handle) end, "the runtime is closed")
    rt = support.open { clock = "real" }
    ok, err = raw.cut(rt.handle, 0, rt.settings)
    assert.equal("only a runtime on a virtual clock can be cut", not ok and err.message)
    rt = support.openLasting()
    ok, err = raw.cut(rt.handle, 0, rt.settings)
    assert.equal("misuse", not ok and err.code)
  end)
end)
