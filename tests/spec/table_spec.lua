-- The hook table, walked: every hook of core/ops.def is called with exactly its arguments, in order, its opts keys and its deadline.
local support = require "support"

local function readTable()
  local file = assert(io.open(ORRERY_SPEC_DIR .. "/../../runtime/core/ops.def"))
  local text = file:read("*a"):gsub("^/%*.-%*/", "")
  file:close()
  local hooks = {}
  for name, args, flags, timeout, opts in text:gmatch('HOOK%((%w+),%s+ARGS%(([^)]*)%), ([^"]-), (%d+), "([^"]*)"') do
    local hook = { name = name, args = {}, flags = {}, timeout = tonumber(timeout), opts = {} }
    for arg in args:gmatch("%w+_?%w*") do if arg ~= "NONE" then table.insert(hook.args, arg) end end
    for flag in flags:gmatch("%w+") do hook.flags[flag] = true end
    for key in opts:gmatch("%w+") do table.insert(hook.opts, key) end
    table.sort(hook.opts)
    table.insert(hooks, hook)
    hooks[name] = hook
  end
  return hooks
end

local hooks = readTable()

-- The class of a model object or what a table was marked with by its supplier; what it gets is told by `seen` in the provider.
local told = { BACKUP = "Backup", RESULT = "BackupResult", CONFIG = "from config", OPTS = "from opts", EXECUTION_CONFIG = "from config",
               CLOUD = "Cloud", SERVER = "ComputeServer", RESULTS = "array of BackupResult", PREVIOUS = "Backup", CONNECTION = "BackupProvider",
               NAME = "string" }

local recorder = [[
local function kind(value)
  if type(value) == "userdata" then return (string.match(tostring(value), "^%a+")) end
  if type(value) == "table" and value[1] ~= nil then return "array of " .. kind(value[1]) end
  if type(value) == "table" then return "from " .. (value.source or "the runtime") end
  return type(value)
end
local function record(hook, count, ...)
  local kinds, opts = {}, nil
  for i = 1, count do
    local value = (select(i, ...))
    kinds[i] = kind(value)
    if kinds[i] == "from opts" or hook == "recoverBackupResult" and type(value) == "table" then opts = value end
  end
  spy(hook, { kinds = kinds, opts = opts, now = time.now() })
end
]]

local function body(but)
  local parts = { recorder }
  for _, hook in ipairs(hooks) do
    if not but[hook.name] then
      local answer = "return true"
      if hook.name == "extractBackup" then answer = "return ServiceResponse.success{ path = '/x' }" end
      if hook.name == "executeBackup" then answer = "backupResult.externalId = 'e' return true" end
      table.insert(parts, ("function provider.%s(...) local backupResult = select(2, ...) record(%q, select('#', ...), ...) %s end"):format(hook.name, hook.name, answer))
    end
  end
  return table.concat(parts, "\n")
end

-- A runtime that has called every hook of the contract once, and what each saw.
local function callAll()
  local rt = assert(support.open())
  rt:provider("p", body{ refreshBackupResults = true })
  rt:ask("cloud.add", { name = "c" })
  rt:ask("server.add", { name = "s", cloud = "c" })
  local mark = { source = "opts" }
  rt:provider("p", body{ refreshBackupResults = true }, "optionTypes = { { fieldName = 'source' } }, refreshInterval = 7")
  rt:create("p", { server = "s", config = { source = "config" }, opts = mark, requestedBy = "ann" })
  local result = rt:run("p", { config = { source = "config" }, opts = mark, requestedBy = "ann" })
  rt:advance(7)
  rt:ask("result.cancel", { result = tostring(result.id), opts = mark, requestedBy = "ann" })
  rt:provider("p", body{ refreshBackupResults = true, refreshBackupResult = true }
    .. "\nfunction provider.refreshBackupResult(...) local r = ... record('refreshBackupResult', select('#', ...), r) r.status = 'SUCCEEDED' return true end",
    "optionTypes = { { fieldName = 'source' } }, refreshInterval = 7")
  rt:advance(7)
  rt:ask("result.extract", { result = tostring(result.id), destination = "/d", opts = mark, requestedBy = "ann" })
  rt:ask("result.rm", { result = tostring(result.id), opts = mark, requestedBy = "ann" })
  rt:ask("backup.rm", { backup = "b", opts = mark, requestedBy = "ann" })
  return rt
end

describe("the hook table", function()
  after_each(support.clean)

  it("has the contract's eleven hooks first, in the contract's order", function()
    local names = {}
    for i = 1, 11 do names[i] = hooks[i].name end
    assert.same({ "configureBackup", "validateBackup", "createBackup", "deleteBackup", "deleteBackupResult", "prepareExecuteBackup",
                  "prepareBackupResult", "executeBackup", "refreshBackupResult", "cancelBackup", "extractBackup" }, names)
  end)

  it("needs executeBackup and nothing else", function()
    for _, hook in ipairs(hooks) do assert.equal(hook.name == "executeBackup", hook.flags.NEEDED == true, hook.name) end
    local rt = assert(support.open())
    assert(rt:source("only", "local p = Provider{ apiVersion = 1, code = 'only', name = 'n', version = '1' } function p.executeBackup() end return p"))
    local ok, err = rt:source("none", "return Provider{ apiVersion = 1, code = 'none', name = 'n', version = '1' }")
    assert.is_nil(ok)
    assert.matches("executeBackup", err.message)
  end)

  it("demands an answer of deleteBackup, deleteBackupResult, cancelBackup and extractBackup only, among the eleven", function()
    local answering = {}
    for i = 1, 11 do if hooks[i].flags.ANSWER then table.insert(answering, hooks[i].name) end end
    assert.same({ "deleteBackup", "deleteBackupResult", "cancelBackup", "extractBackup" }, answering)
  end)

  it("is shown with all that it declares", function()
    local rt = assert(support.open())
    rt:provider("p", body{}, [[optionTypes = { { fieldName = "o" } }, connectionOptionTypes = { { fieldName = "c" } }, needs = { exec = { "x" } },
      refreshInterval = 7, maxRunning = 3, timeout = 4000, memoryLimit = 96, noProgressTimeout = 500, timeouts = { executeBackup = 1234 }, idempotent = true,
      visibilityDelay = 11, stateVersion = 5, readsState = { 4 }]])
    local shown = rt:ask("provider.show", { provider = "p" })
    local called = { optionTypes = "options", connectionOptionTypes = "connectionOptions", memoryLimit = "memoryLimitInBytes" }
    local wanted = { refreshInterval = 7, maxRunning = 3, timeout = 4000, memoryLimit = 96 * 2 ^ 20, noProgressTimeout = 500, visibilityDelay = 11, stateVersion = 5,
                     idempotent = true, apiVersion = 1 }
    local count = 0
    for line in io.lines(ORRERY_SPEC_DIR .. "/../../bindings/declaration.def") do
      local key = line:match("^DECLARED%((%w+),")
      if key then
        count = count + 1
        local value = shown[called[key] or key]
        if wanted[key] ~= nil then assert.equal(wanted[key], value, key) else assert.is_truthy(value, key) end
      end
    end
    assert.is_true(count > 15)
    assert.equal(1234, shown.timeouts.executeBackup)
    assert.equal(60, shown.timeouts.refreshBackupResult)
  end)

  it("loads a provider that has every hook of it", function()
    local rt = assert(support.open())
    rt:provider("p", body{})
    local shown = rt:ask("provider.show", { provider = "p" })
    local names = {}
    for _, hook in ipairs(hooks) do table.insert(names, hook.name) end
    table.sort(names)
    table.sort(shown.hooks)
    assert.same(names, shown.hooks)
  end)

  for i = 1, 11 do
    local hook = hooks[i]

    it(("calls %s with (%s)"):format(hook.name, table.concat(hook.args, ", ")), function()
      local seen = callAll():spied(hook.name)[1]
      assert.is_table(seen)
      local wanted = {}
      for n, arg in ipairs(hook.args) do wanted[n] = told[arg] end
      assert.same(wanted, seen.kinds)
    end)

    if #hook.opts > 0 then
      it(("gives %s the opts %s and the caller's own"):format(hook.name, table.concat(hook.opts, ", ")), function()
        local seen, keys = callAll():spied(hook.name)[1].opts, {}
        for key in pairs(seen) do if key ~= "source" then table.insert(keys, key) end end
        table.sort(keys)
        assert.same(hook.opts, keys)
        assert.equal("opts", seen.source)
        assert.equal(seen.requestedBy and "ann", seen.requestedBy)
        assert.equal(seen.trigger and "manual", seen.trigger)
        assert.equal(seen.attempt and 1, seen.attempt)
        if hook.name == "extractBackup" then assert.equal("/d", seen.destination) end
        if seen.force ~= nil then assert.is_false(seen.force) end
      end)

      it(("gives %s until its deadline %d seconds"):format(hook.name, hook.timeout), function()
        local seen = callAll():spied(hook.name)[1]
        assert.equal(hook.timeout * 1000, seen.opts.deadline - seen.now)
      end)
    end
  end

  it("gives execute, extract and the deletes 900 seconds and the other contract hooks 60", function()
    local long = { executeBackup = true, extractBackup = true, deleteBackup = true, deleteBackupResult = true }
    for i = 1, 11 do assert.equal(long[hooks[i].name] and 900 or 60, hooks[i].timeout, hooks[i].name) end
  end)

  it("calls refreshBackupResults with an array of results", function()
    local rt = assert(support.open())
    rt:provider("p", body{}, "refreshInterval = 5")
    rt:run("p")
    rt:advance(5)
    assert.same({ "array of BackupResult" }, rt:spied("refreshBackupResults")[1].kinds)
    assert.same({}, rt:spied("refreshBackupResult"))
  end)

  it("calls recoverBackupResult with the result and opts that hold attempt, deadline and sentDate", function()
    local rt = assert(support.open())
    rt:provider("p", body{ executeBackup = true } .. "\nfunction provider.executeBackup() process.run{ argv = { 'true' } } sleep(1000) end",
      "needs = { exec = { 'true' } }, timeouts = { executeBackup = 3 }")
    rt:run("p")
    rt:advance(30)
    local seen = rt:spied("recoverBackupResult")[1]
    assert.same({ "BackupResult", "from the runtime" }, seen.kinds)
    local keys = {}
    for key in pairs(seen.opts) do table.insert(keys, key) end
    table.sort(keys)
    assert.same(hooks.recoverBackupResult.opts, keys)
  end)

  it("gives a declared timeout in place of the table's", function()
    local rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup(b, r, e, c, s, opts) spy('d', opts.deadline - time.now()) end", "timeouts = { executeBackup = 12.5 }")
    rt:run("p")
    assert.same({ 12500 }, rt:spied("d"))
  end)

  it("gives nil for a cloud and a server that are not there, and still counts them as arguments", function()
    local rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup(...) local cloud, server = select(4, ...) spy('n', { select('#', ...), cloud == nil, server == nil }) end")
    rt:run("p")
    assert.same({ { 6, true, true } }, rt:spied("n"))
  end)
end)
