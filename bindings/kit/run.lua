-- run: drives the runtime through the life of a Backup and its results, and answers what happened.
--
-- Every step bears a death in its midst (crash.lua): it looks what became of what was asked for, like a person would who finds the
-- runtime restarted, and asks again only for what is certainly not there. What needs a person ends a run under a death: raised as
-- run.attention.
local session = require "orrery.session"
local blame = require "orrery.blame"
local map = require("orrery.json").object

---@class TestError
---@field code ErrorCode
---@field message string
---@field fields? table<string, string>

---All keys are optional.
---@class TestSetup
---@field provider? string its code; the provider under test if not given
---@field name? string of the Backup
---@field connection? table<string, any> its fields and options
---@field server? table<string, any> fields: inventory is made of them
---@field cloud? table<string, any>
---@field options? table<string, any> the Backup's configuration
---@field config? table<string, any> executionConfig of this run
---@field opts? table<string, any>
---@field schedule? string
---@field retention? table<string, any> such as { keepLast = 2 }
---@field delete? boolean false: result and Backup stay
---@field days? number how many virtual days to wait for the end; 7

---@class TestRun
local run = {}

local DAY = 86400
local PATIENCE = 30 -- seconds between two looks at something that is under way

-- What ends a scenario whose runtime died where only a person can go on.
run.attention = setmetatable({}, { __tostring = function() return "somebody has to look" end })

local known = { provider = true, name = true, connection = true, server = true, cloud = true, options = true, config = true, opts = true,
                delete = true, days = true, schedule = true, retention = true }

-- ---- asking, over a death ----------------------------------------------------------------------------------------

--- Asks until there is an answer; after a death `look` is asked first: what it answers is the answer, if that is not nil.
local function ask(world, name, args, look)
  while true do
    local data, err = world:request(name, args)
    if data ~= nil or not err or err.code ~= "died" then return data, err end
    local found = look and look()
    if found ~= nil then return found end
  end
end

local function must(data, err, what)
  if err and not data then
    local fields = {}
    for field, message in pairs(err.fields or {}) do table.insert(fields, ("%s: %s"):format(field, message)) end
    table.sort(fields)
    blame.raise("%s: %s%s", what or "the runtime", err.message, #fields > 0 and " (" .. table.concat(fields, "; ") .. ")" or "")
  end
  return data
end

--- The first of a list request whose name is that.
local function named(world, request, name)
  for _, row in ipairs(must(ask(world, request))) do
    if row.name == name then return row end
  end
end

local function inventory(world, noun, name, args)
  local found = named(world, noun .. ".ls", name)
  if found then return found.name end
  local config = {}
  for key, value in pairs(args.config) do
    if key ~= "name" then config[key] = value end
  end
  args.name, args.config = name, map(config)
  local added, err = ask(world, noun .. ".add", args, function() return named(world, noun .. ".ls", name) end)
  must(added, err, ("the %s was not added"):format(noun))
  return name
end

-- ---- results -----------------------------------------------------------------------------------------------------

---A result as it was when it was last looked at.
---@class TestResult: BackupResult
---@field hooks string[] the names of the hooks that were called, in order
---@field ops table[] its journal
---@field events table[]
---@field logs string[] what was logged of it
---@field took? number virtual seconds
---@field deleted? boolean
---@field deleteError? string
local Result = {}

local Shown = { hooks = true, journal = true, logs = true, took = true }

local function derived(self, key)
  if key == "hooks" then
    local hooks = {}
    for _, op in ipairs(self.ops) do table.insert(hooks, op.hook) end
    return hooks
  elseif key == "journal" then
    return { ops = self.ops, events = self.events }
  elseif key == "logs" then
    local lines = {}
    for _, line in ipairs(self.world.rt and self.world.rt.logs or {}) do
      if line.result == self.id then table.insert(lines, line.message) end
    end
    return lines
  end
  return self.startDate and self.endDate and (self.endDate - self.startDate) / 1000 or nil
end

Result.__index = function(self, key)
  if Shown[key] then return derived(self, key) end
  return Result[key]
end

local function isOver(row)
  return row.attention ~= nil or row.status == "SUCCEEDED" or row.status == "SUCCEEDED_WARNING" or row.status == "FAILED" or row.status == "CANCELLED"
end

--- Looks again; keeps what it was where the record is gone.
---@return TestResult?, TestError?
function Result:show()
  local row, err = ask(self.world, "result.show", { result = tostring(self.id), journal = true })
  if not row then return nil, err end
  for key in pairs(self) do
    if key ~= "world" and key ~= "deleted" and key ~= "deleteError" then self[key] = nil end
  end
  for key, value in pairs(row) do self[key] = value end
  self.world.last = self
  return self
end

local function newResult(world, row)
  local self = setmetatable({ world = world, id = row.id, uuid = row.uuid, ops = {}, events = {} }, Result)
  world.seen[row.uuid] = true
  self:show()
  return self
end

--- A death left it for a person: nothing that follows in a scenario can be true.
local function stopAt(self)
  if self.attention and self.world.died > 0 then error(run.attention, 0) end
  return self
end

--- Follows it to its end: terminal, or needing attention.
---@param days? number
---@return TestResult
function Result:wait(days)
  local world, limit = self.world, self.world:now() + (days or 7) * DAY * 1000
  while self:show() and not isOver(self) and world:now() < limit do
    local life, id = world.died, must(world.rt:submit("result.watch", { result = tostring(self.id) }))
    world:drive(limit, function() return world.died ~= life or world.rt.replies[id] end)
    if world.died == life and not world.rt.replies[id] then require("orrery.raw").stop(world.rt.handle, id) end
  end
  return stopAt(self)
end

-- Until executeBackup has answered, or what was asked for cannot go on.
function Result:started()
  local world = self.world
  while self:show() and not isOver(self) do
    local life, id = world.died, must(world.rt:submit("result.watch", { result = tostring(self.id), started = true }))
    world:drive(world:now() + DAY * 1000, function() return world.died ~= life or world.rt.replies[id] end)
    if world.died == life then break end
  end
  self:show()
  return stopAt(self)
end

--- Lets time go on to its next refresh, and that refresh.
---@return TestResult?, TestError?
function Result:refresh()
  self:show()
  if self.nextActionDate then self.world:drive(math.max(self.nextActionDate, self.world:now())) end
  return self:show()
end

local function outcome(self, data, err)
  self:show()
  if not data then return nil, err end
  return data
end

--- Asks for its end: true, or nil and the error.
---@param opts? table<string, any>
---@return true?, TestError?
function Result:cancel(opts)
  local function look()
    self:show()
    if isOver(self) then return true end
  end
  local data, err = ask(self.world, "result.cancel", { result = tostring(self.id), opts = opts and map(opts) }, look)
  return outcome(self, data and true, err)
end

--- Deletes it through its provider: true, or nil and the error; both are in `deleted` and `deleteError`, too.
---@param opts? table<string, any>
---@return true?, TestError?
function Result:delete(opts)
  local world = self.world
  self:show()
  local function look()
    for _ = 1, 100 do
      local row, err = ask(world, "result.show", { result = tostring(self.id) })
      if not row and err.code == "not_found" then return true end
      if row and row.nextAction ~= "deleteBackupResult" then return nil end
      world:advance(PATIENCE)
    end
  end
  local data, err = ask(world, "result.rm", { result = tostring(self.id), opts = opts and map(opts) }, look)
  if err and err.code == "not_found" and world.died > 0 then data, err = true, nil end
  self.deleted, self.deleteError = data ~= nil or nil, err and err.message
  if not data then self:show() end
  return self.deleted, err
end

--- Asks the provider for its output: the reply, or nil and the error.
---@param destination string
---@param opts? table<string, any>
---@return { path: string, sizeInBytes: number, sha256: string }?, TestError?
function Result:extract(destination, opts)
  return ask(self.world, "result.extract", { result = tostring(self.id), destination = destination, opts = opts and map(opts) })
end

-- ---- Backups -----------------------------------------------------------------------------------------------------

---@class TestBackup
---@field name string
local Backup = {}
Backup.__index = Backup

--- What `orrery backup show` shows.
---@return table<string, any>
function Backup:show() return must(ask(self.world, "backup.show", { backup = self.name })) end

--- A new result of it, once executeBackup has answered.
---@param more? { config: table<string, any>?, opts: table<string, any>? }
---@return TestResult
function Backup:run(more)
  more = blame.check("backup:run", more or {}, { config = true, opts = true })
  local world, before = self.world, {}
  local function rows() return must(ask(world, "result.ls", { backup = self.name })) end
  for _, row in ipairs(rows()) do before[row.id] = true end
  local function look()
    for _, row in ipairs(rows()) do
      if not before[row.id] then return row end
    end
  end
  local row = must(ask(world, "backup.run", { backup = self.name, config = more.config and map(more.config), opts = more.opts and map(more.opts) }, look))
  return newResult(world, row):started()
end

--- Its results, the newest first.
---@return TestResult[]
function Backup:results()
  local found = {}
  for _, row in ipairs(must(ask(self.world, "result.ls", { backup = self.name }))) do table.insert(found, newResult(self.world, row)) end
  return found
end

--- Changes it: `options`, and what else `backup.update` takes; the reply, or nil and the error.
---@param more table<string, any>
---@return table?, TestError?
function Backup:update(more)
  local args = { backup = self.name }
  for key, value in pairs(more or {}) do args[key == "options" and "config" or key] = value end
  return ask(self.world, "backup.update", args)
end

--- Deletes it, with its results if they are still there: true, or nil and the error.
---@return true?, TestError?
function Backup:delete()
  local world = self.world
  local function look()
    for _ = 1, 100 do
      local row, err = ask(world, "backup.show", { backup = self.name })
      if not row and err.code == "not_found" then return true end
      world:advance(PATIENCE)
      return nil
    end
  end
  local data, err = ask(world, "backup.rm", { backup = self.name, withResults = true }, look)
  if err and err.code == "not_found" and world.died > 0 then data, err = true, nil end
  return data ~= nil or nil, err
end

-- ---- from outside ------------------------------------------------------------------------------------------------

local function needsPerson(world, name)
  for _, draft in ipairs(must(ask(world, "status")).drafts or {}) do
    if draft.name == name then return true end
  end
end

local function place(world, what, provider)
  local args = { name = what.name or "b", provider = provider }
  if what.connection then
    local name = what.connection.name or "c"
    args.connection = inventory(world, "connection", name, { provider = provider, config = map(what.connection) })
  end
  if what.cloud then args.cloud = inventory(world, "cloud", what.cloud.name or "cloud", { config = map(what.cloud) }) end
  if what.server then
    args.server = inventory(world, "server", what.server.name or "server", { config = map(what.server), cloud = args.cloud })
    args.cloud = nil
  end
  return args
end

--- Creates a Backup: it, or nil and the error. One of that name is taken as it is.
---@param what? TestSetup
---@return TestBackup?, TestError?
function run.create(what)
  what = blame.check("run.create", what or {}, known)
  local world = session.here()
  local provider = what.provider or world.provider and world.provider.code
  world.used = provider
  if not provider then blame.raise "run.create: there is no provider beside this spec; name one: provider = \"...\"" end
  local args = place(world, what, provider)
  local backup = setmetatable({ world = world, name = args.name }, Backup)
  if ask(world, "backup.show", { backup = args.name }) then return backup end
  args.config, args.schedule = map(what.options or {}), what.schedule
  for key, value in pairs(what.retention or {}) do args[key] = value end
  local function look()
    for _ = 1, 1000 do
      if ask(world, "backup.show", { backup = args.name }) then return true end
      if needsPerson(world, args.name) then error(run.attention, 0) end
      local _, err = world:request("backup.create", args)
      if not err or err.code ~= "died" and err.code ~= "exists" then return err == nil or nil end
      world:advance(PATIENCE)
    end
  end
  local data, err = ask(world, "backup.create", args, look)
  if not data then return nil, err end
  return backup
end

--- The whole life of one: connection, creation, execution, refreshes to its end, deletion of both. The result.
---@param what? TestSetup
---@return TestResult
function run.backup(what)
  what = blame.check("run.backup", what or {}, known)
  local backup, err = run.create(what)
  must(backup, err, "the Backup was not created")
  local result = backup:run { config = what.config, opts = what.opts }:wait(what.days)
  if what.delete ~= false and isOver(result) and not result.attention then
    result:delete()
    if result.deleted then backup:delete() end
  end
  return result
end

-- All results there are, as result.ls has them, each followed to its end. For everyCrash, which looks when all is over.
function run.all(world, days)
  local rows = {}
  for _, row in ipairs(must(ask(world, "result.ls"))) do
    local result = newResult(world, row)
    local ok, raised = pcall(result.wait, result, days)
    if not ok and raised ~= run.attention then error(raised, 0) end
    table.insert(rows, result)
  end
  return rows, must(ask(world, "status")).drafts or {}
end

--- A connection by itself, for testConnection: what it answers, or nil and the error.
---@param fields table<string, any> such as { serviceUrl = "https://acme.test" }
---@param provider? string
---@return { msg: string?, data: any }?, TestError?
function run.testConnection(fields, provider)
  local world = session.here()
  provider = provider or world.provider and world.provider.code
  local name = inventory(world, "connection", fields.name or "c", { provider = provider, config = map(fields) })
  return ask(world, "connection.test", { connection = name })
end

return run
