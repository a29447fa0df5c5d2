-- What specs say to a runtime: open one with providers from memory on virtual time, ask it things, move time on.
--
-- A provider under test tells what it saw through `spy(name, value)`, which is defined in every provider made here: it becomes a log
-- line that rt:spied(name) gives back as values, in order. Nothing else crosses between a spec and a provider.
--
-- What is opened or made here is closed and removed by support.clean(), which every spec file calls after each test.
local raw = require "orrery.raw"
local json = require "dkjson"

local support = { json = json, raw = raw }
local Runtime = {}
Runtime.__index = Runtime

local opened, folders = {}, {}

--- A fresh folder that is removed by clean().
function support.folder()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  table.insert(folders, path)
  return path
end

function support.clean()
  for _, rt in ipairs(opened) do rt:close() end
  for _, path in ipairs(folders) do os.execute("chmod -R u+w '" .. path .. "' && rm -rf '" .. path .. "'") end
  opened, folders = {}, {}
  collectgarbage()
end

--- Marks a table as a JSON object, so that an empty one is {} and not [].
function support.map(values) return setmetatable(values or {}, { __jsontype = "object" }) end

--- Opens a runtime: virtual clock, store in memory, no shipped providers, unless said otherwise in `settings`.
function support.open(settings)
  local all = { clock = "virtual", store = "memory", shipped_providers = "false", seed = "1", runner_path = ORRERY_RUNNER }
  for key, value in pairs(settings or {}) do all[key] = value end
  local handle, err = raw.open(all)
  if not handle then return nil, err end
  local rt = setmetatable({ handle = handle, replies = {}, updates = {}, logs = {}, settings = all, sources = {} }, Runtime)
  table.insert(opened, rt)
  return rt
end

--- One that keeps what it knows: a database in a folder of its own, which reopen() opens again. It can run local jobs, too.
function support.openLasting(settings)
  local all = { store = "sqlite", data_dir = support.folder() }
  for key, value in pairs(settings or {}) do all[key] = value end
  return assert(support.open(all))
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

--- Adds a provider: `body` is its hooks, `declaration` what goes into Provider{ } besides the obvious.
function Runtime:provider(code, body, declaration)
  local source = table.concat({
    "local function spy(name, value) log.info('spy:' .. name .. ':' .. assert(json.encode({ value }))) end",
    ("local provider = Provider { apiVersion = 1, code = %q, name = %q, version = '1.0.0', %s }"):format(code, code, declaration or ""),
    body, "return provider" }, "\n")
  assert(self:source(code, source))
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
    local value = json.decode(text, 1, nil)
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
function Runtime:submit(name, args) return raw.submit(self.handle, name, args and json.encode(support.map(args)) or nil) end

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

--- All values spied under a name, in order; false where the provider spied nil.
function Runtime:spied(name)
  self:pump()
  local values, prefix = {}, "spy:" .. name .. ":"
  for _, line in ipairs(self.logs) do
    if line.message:sub(1, #prefix) == prefix then
      local value = (json.decode(line.message:sub(#prefix + 1), 1, nil) or {})[1]
      if value == nil then value = false end
      table.insert(values, value)
    end
  end
  return values
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

--- A provider that starts something and never hears of its end, with `hooks` instead of or besides.
support.starts = "function provider.executeBackup(backup, backupResult) backupResult.externalId = 'job-1' return true end\n"

--- A local HTTP server; see host.c for its paths. Its url, and count(path): how often that was asked for.
function support.server()
  local server, port = raw.server()
  return { url = "http://127.0.0.1:" .. port, count = function(path) return raw.serverCount(server, path) end, handle = server }
end

return support
