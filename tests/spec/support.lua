-- What specs say to a runtime: open one with providers from memory on virtual time, ask it things, move time on.
--
-- A provider under test tells what it saw by `log.info(json.encode(...))`-free means: spy("name", value) in its source becomes a log
-- line "spy:name:json", which rt:spied("name") gives back as values, in order.
local raw = require "orrery.raw"
local json = require "dkjson"

local support = {}
local Runtime = {}
Runtime.__index = Runtime

--- A fresh folder that is removed when the spec's process ends.
function support.folder()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  return path
end

--- Opens a runtime: virtual clock, store in memory, no shipped providers, unless said otherwise in `settings`.
function support.open(settings)
  local all = { clock = "virtual", store = "memory", shipped_providers = "false", seed = "1", runner_path = ORRERY_RUNNER }
  for key, value in pairs(settings or {}) do all[key] = value end
  local handle, err = raw.open(all)
  if not handle then return nil, err end
  return setmetatable({ handle = handle, replies = {}, updates = {}, logs = {}, settings = all }, Runtime)
end

function Runtime:close()
  if self.handle then raw.close(self.handle) end
  self.handle = nil
end

--- Closes it and opens the same data directory again, as a restart does.
function Runtime:reopen()
  self:close()
  local again = assert(support.open(self.settings))
  self.handle, self.replies, self.updates = again.handle, {}, {}
  for code, source in pairs(self.sources or {}) do assert(raw.provider(self.handle, code, source)) end
end

--- Adds a provider from source; `spy` is made for it, and the declaration is optional: body only needs hooks.
function Runtime:provider(code, body, declaration)
  local source = table.concat({
    "local function spy(name, value) log.info('spy:' .. name .. ':' .. json.encode({ value })) end",
    ("local provider = Provider { apiVersion = 1, code = %q, name = %q, version = '1.0.0', %s }"):format(code, code, declaration or ""),
    body, "return provider" }, "\n")
  local ok, err = raw.provider(self.handle, code, source)
  if ok then
    self.sources = self.sources or {}
    self.sources[code] = source
  end
  return ok, err
end

--- A provider from text exactly as it stands.
function Runtime:source(code, text) return raw.provider(self.handle, code, text) end

function Runtime:pump()
  local did = raw.step(self.handle)
  while true do
    local kind, id, text, err = raw.next(self.handle)
    if not kind then return did end
    did = true
    if kind == "reply" then
      self.replies[id] = { data = json.decode(text, 1, nil), err = err }
    elseif kind == "update" then
      self.updates[id] = self.updates[id] or {}
      table.insert(self.updates[id], (json.decode(text, 1, nil)))
    else
      table.insert(self.logs, (json.decode(text, 1, nil)))
    end
  end
end

function Runtime:submit(name, args) return raw.submit(self.handle, name, args and json.encode(args) or nil) end

--- Asks and waits for the reply without moving virtual time; data, or nil and the error.
function Runtime:request(name, args)
  local id, err = self:submit(name, args)
  if not id then return nil, err end
  return self:await(id)
end

function Runtime:await(id, what)
  for _ = 1, 20000 do
    local reply = self.replies[id]
    if reply then
      if reply.err then return nil, reply.err end
      return reply.data
    end
    self:pump()
  end
  error("no reply to " .. (what or id), 2)
end

--- Asks and moves time on, a second at a time, until the reply is there.
function Runtime:requestOverTime(name, args, seconds)
  local id, err = self:submit(name, args)
  if not id then return nil, err end
  for _ = 1, seconds or 600 do
    for _ = 1, 3 do self:pump() end
    if self.replies[id] then break end
    self:advance(1)
  end
  return self:await(id, name)
end

--- Moves virtual time on by that many seconds.
function Runtime:advance(seconds)
  assert(raw.advance(self.handle, seconds * 1000))
  self:pump()
end

--- Lets what is going on come to rest without moving time.
function Runtime:settle()
  local idle = 0
  for _ = 1, 5000 do
    if self:pump() then idle = 0 else idle = idle + 1 end
    if idle > 8 then return end
  end
end

function Runtime:now() return raw.now(self.handle) end

--- All values spied under a name, in order.
function Runtime:spied(name)
  local values = {}
  local prefix = "spy:" .. name .. ":"
  for _, line in ipairs(self.logs) do
    if line.message:sub(1, #prefix) == prefix then
      table.insert(values, (json.decode(line.message:sub(#prefix + 1)) or {})[1] or false)
    end
  end
  return values
end

--- Creates a Backup; the error as second value if it is refused.
function Runtime:create(provider, more)
  local args = { name = "b", provider = provider }
  for key, value in pairs(more or {}) do args[key] = value end
  return self:request("backup.create", args)
end

--- Creates (unless there is one) and runs a Backup; the result as it was accepted.
function Runtime:run(provider, more)
  if not self:request("backup.show", { backup = "b" }) then assert(self:create(provider)) end
  local args = { backup = "b" }
  for key, value in pairs(more or {}) do args[key] = value end
  local result, err = self:request("backup.run", args)
  self:settle()
  return result, err
end

function Runtime:result(id) return assert(self:request("result.show", { result = tostring(id), journal = true })) end

support.json = json
return support
