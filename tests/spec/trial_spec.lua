-- Trying out: a dry run, one hook called by its author, typed lines. A real server's ledger says that nothing mutating arrived.
local support = require "support"
local raw = support.raw

local hooks = [[
local function ask(backup, method, path, body)
  local connection = backup.connection
  return http.request { method = method, url = url.join(connection.serviceUrl, path), bearer = connection.serviceToken, json = body }
end
function provider.prepareExecuteBackup(backup)
  local reply = ask(backup, "GET", "find/none")
  backup:setConfigProperty("found", reply.status)
  log.info("looked with " .. backup.connection.serviceToken)
end
function provider.prepareBackupResult(backupResult)
  backupResult.backupType = "full"
  backupResult:save()
end
function provider.executeBackup(backup, r, config)
  local reply = ask(backup, "POST", "jobs", { key = r.uuid, type = r.backupType, label = config.label, again = backup.connection.serviceToken })
  r.externalId = reply:json().id
  ask(backup, "GET", "jobs/" .. r.externalId)
end
function provider.refreshBackupResult(r)
  local reply = ask(r.backup, "GET", "jobs/" .. r.externalId)
  if reply.status == 404 then return false, "no job " .. r.externalId end
  r.status = reply:json().state
end
function provider.deleteBackupResult(r) return ask(r.backup, "DELETE", "jobs/" .. r.externalId).status == 200 end
]]
local tmp = os.getenv "TMPDIR" or "/tmp"
local declaration = ([[ optionTypes = { { fieldName = "policy", defaultValue = "gold" } }, needs = { http = { "${connection.serviceUrl}" }, exec = { "true" }, host = { "wipe" }, write = { %q } } ]]):format(tmp)

describe("trying out", function()
  local rt, outside
  before_each(function()
    rt = assert(support.open())
    outside = raw.outside(false)
  end)
  after_each(function()
    support.clean()
    raw.outsideFree()
  end)

  local function change(own) rt:provider("p", own, declaration) end
  local function set(more, own)
    change(own or (hooks .. (more or "")))
    rt:ask("connection.add", { name = "vault", provider = "p", config = { serviceUrl = outside.plain.url, serviceToken = "hush-hush" } })
    rt:create("p", { connection = "vault" })
  end
  local function mutating() return (raw.outsideCount("start")) + (raw.outsideCount("cancel")) + (raw.outsideCount("delete")) end

  describe("an execution, dry", function()
    it("does what is safe, tells the first mutating act, and ends there", function()
      set()
      local reply = rt:ask("backup.dryRun", { backup = "b", config = { label = "x" } })
      assert.same({ "prepareExecuteBackup", "prepareBackupResult", "executeBackup" }, { reply.hooks[1].hook, reply.hooks[2].hook, reply.hooks[3].hook })
      assert.same({ "success", "success", "dry" }, { reply.hooks[1].outcome, reply.hooks[2].outcome, reply.hooks[3].outcome })
      assert.is_true(reply.dryEnd)
      local look, post = reply.hooks[1].acts[1], reply.hooks[3].acts[1]
      assert.same({ "GET", false, true, 404 }, { look.method, look.mutating, look.sent, look.status })
      assert.same({ "POST", true, false, outside.plain.url .. "/jobs" }, { post.method, post.mutating, post.sent, post.url })
      assert.is_nil(post.status)
      assert.equal(1, #reply.hooks[3].acts)
      assert.same({ reply.resultUuid, "full", "x" }, { post.json.key, post.json.type, post.json.label })
      assert.same({ 1, 0 }, { raw.outsideCount("look"), mutating() })
      assert.same({ backupType = "full" }, reply.hooks[2].changed.backupResult)
    end)

    it("persists nothing: no result, no row of the journal, no event, no change of the Backup", function()
      set()
      local events, before = #rt:events(), rt:ask("backup.show", { backup = "b" })
      rt:ask("backup.dryRun", { backup = "b" })
      rt:advance(3600)
      assert.same({}, rt:ask("result.ls", {}))
      assert.equal(events, #rt:events())
      assert.same(before.config, rt:ask("backup.show", { backup = "b" }).config)
      rt:ask("backup.run", { backup = "b" })
      rt:advance(1)
      assert.equal(1, #rt:ask("result.ls", {}))
      assert.equal(1, (raw.outsideCount("start")))
    end)

    it("shows no secret", function()
      set()
      local reply = rt:ask("backup.dryRun", { backup = "b" })
      local post = reply.hooks[3].acts[1]
      assert.same({ "***", "***" }, { post.headers.Authorization, post.json.again })
      assert.equal("looked with ***", reply.hooks[1].log[1].message)
    end)

    it("holds programs and local jobs and files to be mutating, and lets no pcall go on", function()
      local own = [[
        function provider.executeBackup(b, r)
          pcall(process.run, { argv = { "true", "a b" }, env = { KEY = "v" }, stdin = "123" })
          pcall(http.request, { url = b.connection.serviceUrl, method = "POST" })
          pcall(http.get, b.connection.serviceUrl .. "/find/none")
          r.status = "SUCCEEDED"
        end]]
      set(nil, own)
      local reply = rt:ask("backup.dryRun", { backup = "b" })
      assert.equal(1, #reply.hooks[1].acts)
      local act = reply.hooks[1].acts[1]
      assert.same({ "process", { "true", "a b" }, 3, true, false }, { act.kind, act.argv, act.input, act.mutating, act.sent })
      assert.is_truthy(table.concat(act.env, " "):find("KEY", 1, true))
      assert.is_nil(table.concat(act.env, " "):find("v", 1, true))
      assert.same({ "dry", 0 }, { reply.hooks[1].outcome, (raw.outsideCount("look")) })
      change([[ function provider.executeBackup(b, r) job.start { name = "tool", argv = { "true" } } end ]])
      assert.same({ "job", "tool" }, { rt:ask("backup.dryRun", { backup = "b" }).hooks[1].acts[1].kind, rt:ask("backup.dryRun", { backup = "b" }).hooks[1].acts[1].name })
    end)

    it("holds the host's functions and what is written to files to be mutating, too", function()
      assert(raw.offer(rt.handle, "function:wipe"))
      set(nil, "function provider.executeBackup(b, r) host.wipe { all = true } end")
      local reply = rt:ask("backup.dryRun", { backup = "b" })
      assert.same({ "dry", "host wipe", true }, { reply.hooks[1].outcome, reply.hooks[1].acts[1].about, reply.dryEnd })
      local path = support.folder() .. "/file"
      change(("function provider.executeBackup(b, r) fs.write(%q, 'x') end"):format(path))
      reply = rt:ask("backup.dryRun", { backup = "b" })
      assert.same({ "dry", "fs.write", path }, { reply.hooks[1].outcome, reply.hooks[1].acts[1].kind, reply.hooks[1].acts[1].about })
      assert.is_nil(io.open(path))
      change(("function provider.executeBackup(b, r) pcall(fs.mkdir, %q) pcall(fs.remove, %q) pcall(fs.rename, %q, %q) job.cancel('x') end"):format(path, path, path, path))
      reply = rt:ask("backup.dryRun", { backup = "b" })
      assert.same({ "dry", 1, "fs.mkdir" }, { reply.hooks[1].outcome, #reply.hooks[1].acts, reply.hooks[1].acts[1].kind })
      assert.is_nil(io.open(path))
    end)

    it("ends with the hook that halts or fails", function()
      set("function provider.prepareExecuteBackup() return false, 'not today' end")
      local reply = rt:ask("backup.dryRun", { backup = "b" })
      assert.same({ 1, "halt", "not today", false }, { #reply.hooks, reply.hooks[1].outcome, reply.hooks[1].msg, reply.dryEnd })
      change(hooks .. "function provider.prepareExecuteBackup() error('oh') end")
      assert.equal("error", rt:ask("backup.dryRun", { backup = "b" }).hooks[1].outcome)
    end)
  end)

  describe("one hook", function()
    local connection
    before_each(function() connection = { serviceUrl = outside.plain.url, serviceToken = "hush-hush" } end)

    it("is called with the objects given, and says what it answered, changed, logged and asked for", function()
      set()
      local reply = rt:ask("provider.call", { provider = "p", hook = "refreshBackupResult", objects = { connection = connection, backupResult = { externalId = "7" } } })
      assert.same({ "halt", "no job 7" }, { reply.outcome, reply.msg })
      assert.same({ "GET", outside.plain.url .. "/jobs/7", 404 }, { reply.acts[1].method, reply.acts[1].url, reply.acts[1].status })
      reply = rt:ask("provider.call", { provider = "p", hook = "prepareBackupResult" })
      assert.same({ backupType = "full" }, reply.changed.backupResult)
      assert.equal("success", reply.outcome)
    end)

    it("changes something outside only where that is meant", function()
      set()
      local args = { provider = "p", hook = "executeBackup", objects = { connection = connection } }
      local reply = rt:ask("provider.call", args)
      assert.same({ "dry", 0 }, { reply.outcome, mutating() })
      args.really = true
      reply = rt:ask("provider.call", args)
      assert.same({ "success", 1 }, { reply.outcome, mutating() })
      assert.same({ true, true, 200 }, { reply.acts[1].mutating, reply.acts[1].sent, reply.acts[1].status })
      assert.is_truthy(reply.changed.backupResult.externalId)
      assert.same({}, rt:ask("result.ls", {}))
    end)

    it("uses a stored connection, options with their defaults, and opts", function()
      set([[function provider.createBackup(backup, opts)
        return ServiceResponse.success(nil, backup.connection.name .. " " .. backup:getConfigProperty("policy") .. " " .. backup.name .. " " .. (opts.note or ""))
      end]])
      local objects = { backup = { name = "mine" }, opts = { note = "n" } }
      assert.equal("vault gold mine n", rt:ask("provider.call", { provider = "p", hook = "createBackup", connection = "vault", objects = objects }).msg)
      objects.backup.config = { policy = "silver" }
      assert.equal("vault silver mine n", rt:ask("provider.call", { provider = "p", hook = "createBackup", connection = "vault", objects = objects }).msg)
    end)

    it("refuses what it does not know, and names the nearest", function()
      set()
      local function message(hook, objects) return rt:refused("provider.call", { provider = "p", hook = hook, objects = objects }).message end
      assert.equal("there is no hook 'executBackup' (did you mean 'executeBackup'?)", message("executBackup"))
      assert.equal("provider 'p' has no cancelBackup", message("cancelBackup"))
      assert.equal("no hook takes 'backupReslt' (did you mean 'backupResult'?)", message("executeBackup", { backupReslt = {} }))
      local refused = rt:refused("provider.call", { provider = "p", hook = "executeBackup", objects = { backup = { nme = "x" } } })
      assert.equal("the backup given cannot be one", refused.message)
      assert.is_truthy(refused.fields["backup.nme"]:find("name", 1, true))
    end)
  end)

  describe("a typed line", function()
    local function eval(line, more)
      local args = { provider = "p", text = line }
      for key, value in pairs(more or {}) do args[key] = value end
      return rt:ask("provider.eval", args)
    end

    it("answers with values, keeps what it assigned, and has the provider and its libraries", function()
      set()
      assert.same({ "3", '"x"', "nil", '{"a":[1,2]}' }, eval("1 + 2, 'x', nil, { a = { 1, 2 } }").data.values)
      assert.same({}, eval("x = json.decode('[4]')").data.values)
      assert.same({ "4" }, eval("x[1]").data.values)
      assert.same({ '"p"' }, eval("provider.code").data.values)
      assert.same({ '"vault"' }, eval("connection.name", { connection = "vault" }).data.values)
      assert.same({ "404" }, eval("http.get(connection.serviceUrl .. '/find/none').status", { connection = "vault" }).data.values)
    end)

    it("does nothing to the state that hooks run in", function()
      set("local count = { n = 0 } provider.count = count function provider.refreshBackupResult() count.n = count.n + 1 return true, tostring(count.n) end")
      assert.same({ "41" }, eval("(function() provider.count.n = 41 return provider.count.n end)()").data.values)
      assert.equal("1", rt:ask("provider.call", { provider = "p", hook = "refreshBackupResult" }).msg)
      assert.same({ "41" }, eval("provider.count.n").data.values)
      change(hooks)
      assert.same({ "nil" }, eval("provider.count").data.values)
    end)

    it("waits, fails and goes on as a hook does", function()
      set()
      assert.same({ "2000" }, rt:requestOverTime("provider.eval", { provider = "p", text = "(function() local a = time.now() sleep(2) return time.now() - a end)()" }, 3).data.values)
      assert.same({ '"aaa"' }, eval("(function() local t = parallel{ function() sleep(0) return 'aaa' end } return t end)()").data.values)
      local reply = eval("nosuch()")
      assert.equal("error", reply.outcome)
      assert.is_truthy(reply.msg:find("nosuch", 1, true))
      assert.is_true(eval("for i = 1, 2 do").incomplete)
      assert.is_false(eval("for for").incomplete)
      assert.equal("dry", eval("http.post(connection.serviceUrl .. '/jobs', { json = { key = 'k' } })", { connection = "vault" }).outcome)
      assert.equal(0, mutating())
    end)
  end)
end)
