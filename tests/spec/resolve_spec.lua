-- A person's word: results that need attention, and drafts that wait.
local support = require "support"

local sent = "process.run{ argv = { 'true' } }"
local needs = "needs = { exec = { 'true' } }"

describe("a result that needs attention", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function resolve(word, value, more)
    local args = { result = "1", [word] = value, requestedBy = "ann" }
    for key, entry in pairs(more or {}) do args[key] = entry end
    return rt:request("result.resolve", args)
  end

  --- The executeBackup of "p" has sent something and raised: unknown_start. `hooks` are those that come after it.
  local function unknown(hooks, declaration)
    rt:provider("p", "function provider.executeBackup(b, r, config, cloud, server, opts) spy('start', { config, opts.own, opts.learnt, server and server.name }) opts.learnt = true " .. sent .. " error('lost') end\n"
      .. (hooks or ""), needs .. (declaration or ""))
    local result = rt:run("p", { config = { full = true }, opts = { own = "o" } })
    assert.equal("unknown_start", result.attention)
    return result
  end

  --- Refreshing fails until the budget is spent.
  local function failing(more)
    rt:provider("p", (more or support.starts) .. "function provider.refreshBackupResult(r) spy('refresh', r.externalId or false) error('no route') end",
      "refreshInterval = 1")
    rt:run("p")
    rt:advance(1024)
    assert.equal("refresh_failing", rt:result(1).attention)
  end

  describe("that ran", function()
    it("gets the external id, is IN_PROGRESS without attention and refreshed at once, and ends as the outside says", function()
      unknown("function provider.refreshBackupResult(r) spy('refresh', r.externalId) if r.progress then r.status = 'SUCCEEDED' end r.progress = 50 end")
      rt:advance(10)
      local reply = assert(resolve("ran", "job-9"))
      assert.same({ "IN_PROGRESS", "job-9", 0, nil }, { reply.result.status, reply.result.externalId, reply.result.errorCount, reply.result.attention })
      assert.equal("refreshBackupResult", reply.result.nextAction)
      assert.is_nil(reply.retry)
      rt:settle()
      assert.same({ "job-9" }, rt:spied("refresh"))
      rt:advance(60)
      assert.equal("SUCCEEDED", rt:result(1).status)
      assert.equal(1, #rt:spied("start"))
    end)

    it("says who said it: in its message, an event, and the journal", function()
      unknown()
      assert(resolve("ran", "job-9"))
      local result = rt:result(1)
      local said = "resolved by ann: it goes on outside as job-9"
      assert.equal(said, result.statusMessage)
      assert.same({ said }, rt:events("result.resolved", 1))
      local last = result.ops[#result.ops]
      assert.same({ "result.resolve", "done", "success", said }, { last.hook, last.state, last.outcome, last.message })
    end)

    it("is followed by watchers from then on", function()
      unknown()
      assert(resolve("ran", "job-9"))
      local id = rt:submit("result.watch", { result = "1" })
      rt:settle()
      assert.is_false(rt:isAnswered(id))
    end)

    it("has its deadline put off by the provider's timeout where it has passed", function()
      rt:provider("p", support.starts .. "function provider.refreshBackupResult() end", "timeout = 100")
      rt:run("p")
      rt:advance(130)
      assert.equal("overdue", rt:result(1).attention)
      rt:advance(500)
      local now = rt:now()
      assert(resolve("ran", "job-1"))
      assert.equal(now + 100000, rt:result(1).deadlineDate)
      rt:advance(60)
      assert.is_nil(rt:result(1).attention)
      rt:advance(60)
      assert.equal("overdue", rt:result(1).attention)
    end)

    it("keeps a deadline that is still ahead", function()
      local before = unknown().deadlineDate
      assert(resolve("ran", "job-9"))
      assert.equal(before, rt:result(1).deadlineDate)
    end)

    it("simply goes on where refreshing has failed, with a new budget", function()
      failing()
      assert(resolve("ran", "job-1"))
      rt:settle()
      assert.same({ "IN_PROGRESS", 1 }, { rt:result(1).status, rt:result(1).errorCount })
      rt:provider("p", support.starts .. "function provider.refreshBackupResult(r) r.status = 'SUCCEEDED' end")
      rt:advance(60)
      assert.equal("SUCCEEDED", rt:result(1).status)
    end)

    it("may be given another id than before", function()
      failing()
      assert(resolve("ran", "job-2"))
      rt:settle()
      local ids = rt:spied("refresh")
      assert.equal("job-2", ids[#ids])
    end)

    it("needs no id where it is known that it was started", function()
      failing("function provider.executeBackup() return true end\n")
      assert(resolve("ran", ""))
      rt:settle()
      assert.equal("IN_PROGRESS", rt:result(1).status)
      assert.is_nil(rt:result(1).externalId)
    end)

    it("needs an id where nothing is known", function()
      unknown()
      local _, err = resolve("ran", "")
      assert.equal("invalid", err.code)
      assert.matches("by what id", err.fields.ran)
      assert.equal("unknown_start", rt:result(1).attention)
    end)

    it("stays CANCEL_REQUESTED, and the cancel is asked for now that it is known what to cancel", function()
      unknown("function provider.cancelBackup(r) spy('cancel', r.externalId or false) return true end function provider.refreshBackupResult(r) if r.externalId then r.status = 'CANCELLED' end end")
      assert(rt:requestOverTime("result.cancel", { result = "1" }, 60))
      assert.same({ "CANCEL_REQUESTED", "unknown_start" }, { rt:result(1).status, rt:result(1).attention })
      local reply = assert(resolve("ran", "job-9"))
      assert.equal("CANCEL_REQUESTED", reply.result.status)
      rt:advance(60)
      assert.same({ false, "job-9" }, rt:spied("cancel"))
      assert.equal("CANCELLED", rt:result(1).status)
    end)

    it("is IN_PROGRESS again where that cancel is refused", function()
      unknown("function provider.cancelBackup(r) if r.externalId then return false, 'too late' end return true end function provider.refreshBackupResult(r) end")
      assert(rt:requestOverTime("result.cancel", { result = "1" }, 60))
      assert(resolve("ran", "job-9"))
      rt:advance(60)
      assert.equal("IN_PROGRESS", rt:result(1).status)
    end)
  end)

  describe("that did not run", function()
    it("ends FAILED, certain by a person's word", function()
      unknown()
      local reply = assert(resolve("didNotRun", true))
      assert.same({ "FAILED", "resolved by ann: it did not run" }, { reply.result.status, reply.result.errorMessage })
      assert.is_nil(reply.result.attention)
      assert.same({ "FAILED: resolved by ann: it did not run" }, rt:events("result.ended", 1))
      assert.same({ "resolved by ann: it did not run" }, rt:events("result.resolved", 1))
      rt:advance(3600)
      assert.equal(1, #rt:spied("start"))
    end)

    it("ends CANCELLED where a cancel was asked for", function()
      unknown("function provider.cancelBackup(r) return true end")
      assert(rt:requestOverTime("result.cancel", { result = "1" }, 60))
      assert.equal("CANCELLED", assert(resolve("didNotRun", true)).result.status)
    end)

    it("tells watchers", function()
      unknown()
      rt:submit("result.watch", { result = "1" })
      assert(resolve("didNotRun", true))
      assert.equal("FAILED", rt:ask("result.watch", { result = "1" }).status)
    end)

    it("is refused where the external job is known by its id", function()
      unknown()
      rt:provider("p", "function provider.executeBackup(b, r) r.externalId = 'job-3' " .. sent .. " error('lost') end", needs)
      local id = tostring(rt:run("p").id)
      local err = rt:refused("result.resolve", { result = id, didNotRun = true })
      assert.same({ "refused", 5 }, { err.code, err.exit })
      assert.matches("has run .its externalId is known: job%-3.", err.message)
      assert.equal("unknown_start", rt:result(id).attention)
    end)

    it("is refused where executeBackup answered that it was started", function()
      failing("function provider.executeBackup() return true end\n")
      local _, err = resolve("didNotRun", true)
      assert.equal("refused", err.code)
      assert.matches("executeBackup answered", err.message)
    end)
  end)

  describe("that is retried", function()
    it("ends FAILED, and a new one with the same executionConfig, server and caller's opts takes its place", function()
      rt:ask("server.add", { name = "s" })
      rt:provider("p", "function provider.executeBackup() end")
      rt:create("p", { name = "b" })
      rt:provider("p", "function provider.executeBackup(b, r, config, cloud, server, opts) spy('start', { config, opts.own, opts.learnt or false, server.name }) opts.learnt = true " .. sent .. " error('lost') end", needs)
      local old = rt:run("p", { config = { full = true }, opts = { own = "o" }, server = "s" })
      local reply = assert(resolve("retry", true))
      rt:settle()
      assert.same({ "FAILED", "resolved by ann: given up, and run again as result 2" }, { reply.result.status, reply.result.errorMessage })
      assert.same({ 2, old.uuid, "START_REQUESTED", "manual", "ann" }, { reply.retry.id, reply.retry.retryOf, reply.retry.status, reply.retry.trigger, reply.retry.requestedBy })
      local start = { { full = true }, "o", false, "s" }
      assert.same({ start, start }, rt:spied("start"))
      assert.same({ { full = true }, { own = "o" } }, { rt:result(2).executionConfig, rt:result(2).callerOpts })
    end)

    it("is another job outside: it has a uuid of its own", function()
      unknown()
      local reply = assert(resolve("retry", true))
      assert.is_true(reply.retry.uuid ~= reply.result.uuid)
    end)

    it("is listed as one that may still run outside", function()
      unknown()
      assert(resolve("retry", true))
      assert.equal(1, #rt:events("result.orphan", 1))
      assert.same({ "retried", rt:result(1).uuid }, { rt:ask("orphans.ls")[1].reason, rt:ask("orphans.ls")[1].uuid })
    end)

    it("can be one whose job is known", function()
      failing()
      assert.equal("FAILED", assert(resolve("retry", true)).result.status)
      assert.matches("job%-1", rt:events("result.orphan", 1)[1])
    end)
  end)

  it("is not resolved by none or two of the three words: INVALID names them", function()
    unknown()
    local _, err = rt:request("result.resolve", { result = "1" })
    assert.equal("invalid", err.code)
    assert.matches("ran, didNotRun and retry", err.message)
    _, err = resolve("ran", "x", { retry = true })
    assert.equal("invalid", err.code)
    assert.truthy(err.fields.ran and err.fields.retry)
    assert.is_nil(err.fields.didNotRun)
    assert.equal("invalid", rt:refused("result.resolve", { result = "1", didNotRun = false }).code)
    assert.equal("unknown_start", rt:result(1).attention)
  end)

  it("is the only one that can be resolved: one in progress is refused", function()
    rt:provider("p", support.starts)
    rt:run("p")
    for word, value in pairs{ ran = "x", didNotRun = true, retry = true } do
      local _, err = resolve(word, value)
      assert.same({ "refused", 5 }, { err.code, err.exit })
      assert.matches("result 1 is IN_PROGRESS and needs no attention", err.message)
    end
    assert.equal(1, #rt:ask("result.ls"))
    assert.equal("job-1", rt:result(1).externalId)
  end)

  it("one that is refused is refreshed no sooner", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult() spy('refresh', true) end")
    rt:run("p")
    rt:advance(10)
    resolve("retry", true)
    rt:advance(49)
    assert.same({}, rt:spied("refresh"))
    rt:advance(1)
    assert.equal(1, #rt:spied("refresh"))
  end)

  it("one that has ended is refused", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
    rt:run("p")
    local _, err = resolve("retry", true)
    assert.equal("refused", err.code)
    assert.matches("has ended already: SUCCEEDED", err.message)
  end)

  it("one that does not exist is not found", function()
    local _, err = resolve("retry", true, { result = "77" })
    assert.same({ "not_found", 4 }, { err.code, err.exit })
  end)

  it("is resolved once: of two words at the same time the first counts", function()
    unknown()
    local first = rt:submit("result.resolve", { result = "1", didNotRun = true })
    local second = rt:submit("result.resolve", { result = "1", retry = true })
    assert.equal("FAILED", assert(rt:await(first)).result.status)
    local _, err = rt:await(second)
    assert.equal("refused", err.code)
    assert.equal(1, #rt:ask("result.ls"))
  end)

  it("is in no half-way state when a cancel comes at the same time", function()
    for _, words in ipairs{ { ran = "job-9" }, { didNotRun = true }, { retry = true } } do
      unknown("function provider.cancelBackup() return true end function provider.refreshBackupResult(r) r.status = 'CANCELLED' end")
      local id = tostring(rt:ask("result.ls")[1].id)
      words.result = id
      local cancel = rt:submit("result.cancel", { result = id })
      local word = rt:submit("result.resolve", words)
      local back = rt:submit("result.cancel", { result = id })
      rt:advance(120)
      for _, request in ipairs{ cancel, word, back } do assert.is_true(rt:isAnswered(request)) end
      local result = rt:result(id)
      assert.is_true(result.status == "CANCELLED" or result.status == "FAILED" or result.status == "CANCEL_REQUESTED" and result.attention == "unknown_start")
    end
  end)

  describe("whose provider is missing", function()
    before_each(function()
      support.clean()
      rt = support.openLasting()
      rt:provider("p", support.starts .. "function provider.refreshBackupResult() end")
      rt:run("p")
    end)

    it("cannot go on before the provider is back, and can then", function()
      local source = rt.sources
      rt.sources = {}
      rt:reopen()
      rt:advance(120)
      assert.equal("provider_missing", rt:result(1).attention)
      local _, err = resolve("ran", "job-1")
      assert.equal("refused", err.code)
      assert.matches("provider 'p' is missing", err.message)
      rt.sources = source
      rt:reopen()
      assert(resolve("ran", "job-1"))
      assert.equal("IN_PROGRESS", rt:result(1).status)
    end)

    it("cannot be retried without it: nothing changes", function()
      rt.sources = {}
      rt:reopen()
      rt:advance(120)
      assert.is_nil((resolve("retry", true)))
      assert.same({ "provider_missing", "IN_PROGRESS" }, { rt:result(1).attention, rt:result(1).status })
      assert.equal(1, #rt:ask("result.ls"))
    end)
  end)

  it("stays resolved after a restart", function()
    support.clean()
    rt = support.openLasting()
    unknown("function provider.refreshBackupResult(r) r.status = 'SUCCEEDED' end")
    assert(resolve("retry", true))
    rt:advance(10)
    assert(resolve("ran", "job-2", { result = "2" }))
    rt:reopen()
    rt:advance(60)
    assert.same({ "FAILED", "SUCCEEDED" }, { rt:result(1).status, rt:result(2).status })
    assert.equal(rt:result(1).uuid, rt:result(2).retryOf)
  end)

  it("whose local job has begun cannot be said not to have run", function()
    support.clean()
    rt = support.openLasting()
    rt:provider("p", "function provider.executeBackup() job.start{ name = 'j', argv = { 'true' } } " .. sent .. " error('lost') end", needs)
    rt:run("p")
    for _ = 1, 100 do
      if rt:result(1).attention then break end
      rt:advance(10)
    end
    assert.equal("unknown_start", rt:result(1).attention)
    local _, err = resolve("didNotRun", true)
    assert.equal("refused", err.code)
    assert.matches("a local job of it has begun", err.message)
  end)
end)

describe("a draft that waits", function()
  local rt
  before_each(function()
    rt = support.openLasting()
    rt:provider("p", support.starts .. [[
      function provider.configureBackup(backup) backup:setConfigProperty("policy", "gold") end
      function provider.createBackup(backup) spy("made", backup.uuid) backup.externalId = "lost" ]] .. sent .. [[ error("and then it broke") end]],
      needs .. ", optionTypes = { { fieldName = 'path' }, { fieldName = 'key', inputType = 'password' } }")
    rt:ask("connection.add", { name = "v", provider = "p", config = { serviceUrl = "https://v" } })
    local err = rt:refused("backup.create", { name = "b", provider = "p", connection = "v", schedule = "0 2 * * *", timeZone = "Europe/Berlin",
                                              config = { path = "/a", key = "geheim" } })
    assert.equal("attention", err.code)
  end)
  after_each(support.clean)

  local function resolve(words)
    local args = { backup = "b", requestedBy = "ann" }
    for key, value in pairs(words) do args[key] = value end
    return rt:request("backup.resolve", args)
  end

  it("is listed by status, with what was sent and when, before and after a restart", function()
    for _ = 1, 2 do
      local drafts = rt:ask("status").drafts
      assert.equal(1, #drafts)
      assert.same({ "b", "p" }, { drafts[1].name, drafts[1].providerCode })
      assert.matches("true", drafts[1].act)
      assert.is_true(drafts[1].sentDate > 0)
      rt:reopen()
    end
  end)

  for _, again in ipairs{ false, true } do
    it("becomes a Backup by --created, as it was drafted" .. (again and ", after a restart too" or ""), function()
      if again then rt:reopen() end
      local reply = assert(resolve{ created = true, externalId = "policy-7" })
      local uuid = rt:spied("made")[1]
      assert.same({ "b", uuid, "policy-7", "v", "0 2 * * *" }, { reply.backup.name, reply.backup.uuid, reply.backup.externalId, reply.backup.connection, reply.backup.schedule })
      assert.equal("resolved by ann: the draft 'b' was created outside and is a Backup now", reply.msg)
      assert.same({ "/a", "gold" }, { reply.backup.config.path, reply.backup.config.policy })
      assert.is_true(reply.backup.nextFireDate > rt:now())
      assert.same({}, rt:ask("status").drafts)
      assert.same({ "b" }, rt:names("backup.ls"))
      assert.same({ reply.msg }, rt:events("backup.resolved"))
      assert.equal(1, #rt:spied("made"))
      rt:reopen()
      assert.same({ {}, { "b" } }, { rt:ask("status").drafts, rt:names("backup.ls") })
    end)
  end

  it("keeps its secrets", function()
    assert(resolve{ created = true })
    rt:provider("p", "function provider.executeBackup(b, r) spy('key', b:getConfigProperty('key') == 'geheim') r.status = 'SUCCEEDED' end", "optionTypes = { { fieldName = 'path' }, { fieldName = 'key', inputType = 'password' } }")
    rt:run("p")
    assert.same({ true }, rt:spied("key"))
  end)

  it("fires its schedule once it is a Backup", function()
    assert(resolve{ created = true })
    rt:advance(86400)
    assert.equal(1, #rt:ask("result.ls"))
  end)

  it("goes by --discard, and its name is free", function()
    local reply = assert(resolve{ discard = true })
    assert.is_nil(reply.backup)
    assert.matches("resolved by ann: the draft 'b' was discarded", reply.msg)
    assert.same({}, rt:ask("status").drafts)
    assert.same({}, rt:names("backup.ls"))
    rt:provider("p", support.starts)
    assert.equal("b", rt:create("p").name)
    assert.equal(1, #rt:spied("made"))
    rt:reopen()
    assert.same({}, rt:ask("status").drafts)
  end)

  it("is not resolved by none or both of the words", function()
    for _, words in ipairs{ {}, { created = true, discard = true }, { created = false } } do
      local _, err = resolve(words)
      assert.equal("invalid", err.code)
      assert.matches("created and discard", err.message)
    end
    local _, err = resolve{ discard = true, externalId = "x" }
    assert.equal("belongs to created", err.fields.externalId)
    assert.equal(1, #rt:ask("status").drafts)
  end)

  it("is resolved once", function()
    local first, second = rt:submit("backup.resolve", { backup = "b", created = true }), rt:submit("backup.resolve", { backup = "b", discard = true })
    assert(rt:await(first))
    local _, err = rt:await(second)
    assert.equal(5, err.exit)
    assert.same({ "b" }, rt:names("backup.ls"))
    _, err = resolve{ discard = true }
    assert.equal("refused", err.code)
    assert.matches("is a Backup already", err.message)
  end)

  it("of another name is not found", function()
    local _, err = resolve{ backup = "c", discard = true }
    assert.same({ "not_found", 4 }, { err.code, err.exit })
  end)

  it("whose connection has gone can be discarded only", function()
    rt:ask("connection.rm", { connection = "v" })
    local _, err = resolve{ created = true }
    assert.equal("refused", err.code)
    assert.matches("connection of the draft 'b' has been removed", err.message)
    assert.equal(1, #rt:ask("status").drafts)
    assert(resolve{ discard = true })
    assert.same({}, rt:ask("status").drafts)
  end)

  it("does not wait while its creation is still at work", function()
    rt:provider("p", support.starts .. "function provider.createBackup() " .. sent .. " sleep(30) end", needs)
    local id = rt:submit("backup.create", { name = "c", provider = "p" })
    rt:settle()
    assert.equal(1, #rt:ask("status").drafts)
    local _, err = resolve{ backup = "c", discard = true }
    assert.equal("refused", err.code)
    assert.matches("is being worked on", err.message)
    rt:advance(30)
    assert(rt:await(id))
  end)
end)
