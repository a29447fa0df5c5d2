-- A runtime as specs speak to it: open one, on virtual time unless said otherwise; ask it things, move time on, reopen what it kept.
--
-- Everything it says is pulled by pump() and kept by what it answers: replies and updates by request, log lines in order. Knows nothing of
-- mocks, of busted and of what a good outcome is.
local raw = require "orrery.raw"
local json = require "orrery.json"

local map = json.object

local Runtime = {}
Runtime.__index = Runtime

--- Opens one with these settings on top of: virtual clock, store in memory, no shipped providers. Or nil and the error.
local function open(settings)
  local all = { clock = "virtual", store = "memory", shipped_providers = "false", seed = "1" }
  for key, value in pairs(settings or {}) do all[key] = value end
  local handle, err = raw.open(all)
  if not handle then return nil, err end
  return setmetatable({ handle = handle, replies = {}, updates = {}, logs = {}, settings = all, sources = {} }, Runtime)
end

function Runtime:close()
  if self.handle then raw.close(self.handle) end
  self.handle = nil
end

--- Closes it, hooks in flight are abandoned where they are, and opens the same data directory again with the same providers. Its clock
--- goes on from where it was, plus `later` seconds.
function Runtime:reopen(later)
  local now = self:now()
  self:close()
  self.handle = assert(raw.open(self.settings))
  self.replies, self.updates = {}, {}
  for code, source in pairs(self.sources) do assert(raw.provider(self.handle, code, source)) end
  local behind = now - self:now() + (later or 0) * 1000
  if behind > 0 then raw.advance(self.handle, behind) end
  self:settle()
end

--- A provider from text exactly as it stands; true, or nil and the error.
function Runtime:source(code, text)
  local ok, err = raw.provider(self.handle, code, text)
  if ok then self.sources[code] = text end
  return ok, err
end

function Runtime:pump()
  local did = raw.step(self.handle)
  while true do
    local kind, id, text, err = raw.next(self.handle)
    if not kind then return did end
    did = true
    local value = json.decode(text)
    if kind == "reply" then
      self.replies[id] = { data = value, err = err }
    elseif kind == "update" then
      self.updates[id] = self.updates[id] or {}
      table.insert(self.updates[id], value)
    else
      table.insert(self.logs, value)
    end
  end
end

--- Moves virtual time on by that many seconds, and waits for what is really in flight.
function Runtime:advance(seconds)
  assert(raw.advance(self.handle, seconds * 1000))
  self:pump()
end

--- Lets what is going on come to rest without moving time.
function Runtime:settle() self:advance(0) end

function Runtime:now() return raw.now(self.handle) end

--- Asks; the id of the request, or nil and the error.
function Runtime:submit(name, args) return raw.submit(self.handle, name, args and json.encode(map(args)) or nil) end

--- The reply to a request, without moving virtual time: data, or nil and the error.
function Runtime:await(id)
  for _ = 1, 20000 do
    local reply = self.replies[id]
    if reply then
      if reply.err then return nil, reply.err end
      return reply.data
    end
    self:pump()
  end
  error("no reply to request " .. id, 2)
end

function Runtime:isAnswered(id)
  self:pump()
  return self.replies[id] ~= nil
end

function Runtime:request(name, args)
  local id, err = self:submit(name, args)
  if not id then return nil, err end
  return self:await(id)
end

--- The data of a request that must work.
function Runtime:ask(name, args)
  local data, err = self:request(name, args)
  if err then error(("%s: %s: %s"):format(name, err.code, err.message), 2) end
  return data
end

--- The error of a request that must not.
function Runtime:refused(name, args)
  local data, err = self:request(name, args)
  if not err then error(("%s was not refused: %s"):format(name, json.encode(data)), 2) end
  return err
end

--- Asks and moves time on, a second at a time, until the reply is there.
function Runtime:requestOverTime(name, args, seconds)
  local id, err = self:submit(name, args)
  if not id then return nil, err end
  for _ = 1, seconds or 600 do
    self:settle()
    if self.replies[id] then break end
    self:advance(1)
  end
  return self:await(id)
end

--- Is there a log line that contains the text?
function Runtime:logged(text)
  self:pump()
  for _, line in ipairs(self.logs) do
    if line.message:find(text, 1, true) then return true end
  end
  return false
end

--- Creates a Backup "b" (or as `more` says); the reply's backup.
function Runtime:create(provider, more)
  local args = { name = "b", provider = provider }
  for key, value in pairs(more or {}) do args[key] = value end
  return self:ask("backup.create", args).backup
end

--- Runs the Backup "b", which is created if there is none, lets it come to rest, and gives the result as it is then.
function Runtime:run(provider, more)
  if not self:request("backup.show", { backup = "b" }) then self:create(provider) end
  local args = { backup = "b" }
  for key, value in pairs(more or {}) do args[key] = value end
  local result = self:ask("backup.run", args)
  self:settle()
  return self:result(result.id)
end

--- A result with its journal: ops and events.
function Runtime:result(id) return self:ask("result.show", { result = tostring(id), journal = true }) end

--- The hooks of a result's journal, in order: { "prepareExecuteBackup", ... }.
function Runtime:journal(id)
  local hooks = {}
  for _, op in ipairs(self:result(id).ops) do table.insert(hooks, op.hook) end
  return hooks
end

--- The messages of all events of one kind, or, with an id, of that result's.
function Runtime:events(kind, id)
  local found = {}
  for _, event in ipairs(self:ask("events", { limit = 10000, result = id and tostring(id) }).events) do
    if event.kind == kind then table.insert(found, event.message) end
  end
  return found
end

function Runtime:names(request)
  local names = {}
  for _, row in ipairs(self:ask(request)) do table.insert(names, row.name) end
  return names
end

return { open = open, map = map, Runtime = Runtime }
