-- session: a login that all hooks of a connection share. It is opened once however many hooks wait for it, kept across hooks and
-- reloads, and renewed when it is too old or the other side no longer takes it (see `session` in http.request).
local raw, lib, core = ...

local error, pcall, setmetatable, type = error, pcall, setmetatable, type
local await, check, raise = core.await, core.check, core.raise

local Session = {}
Session.__index = Session
Session.__metatable = "session"

-- What opening and closing do counts as safe: it may be repeated, so it sets no sent mark.
local function safely(f, ...)
  raw.safe(true)
  local function settle(ok, ...)
    raw.safe(false)
    return ok, ...
  end
  return settle(pcall(f, ...))
end

-- Another hook's deadline is no reason for the ones that wait to fail: the next of them opens.
local function isOwn(err)
  return type(err) == "table" and (err.code == "deadline" or err.code == "cancelled")
end

local function open(self, ticket, old)
  if old ~= nil and self._close then
    local ok, err = safely(self._close, old, raw.connection())
    if not ok then lib.log.debug("session %s: closing the old one: %s", self._name, err) end
  end
  local ok, value = safely(self._open, raw.connection())
  if not ok then
    raw.failed(ticket, not isOwn(value) and value or nil)
    error(value, 0)
  end
  if value == nil then
    raw.failed(ticket, "session '" .. self._name .. "': open returned nothing")
    error("session '" .. self._name .. "': open returned nothing", 0)
  end
  local stored, generation = pcall(await, raw.opened(ticket, value, self._ttl, self._name))
  if not stored then
    raw.failed(ticket, generation)
    error(generation, 0)
  end
  return value, generation
end

-- The value and its generation; `stale` is a generation that no longer works.
local function take(self, stale)
  while true do
    local state, value, more = await(raw.take(self._name, stale))
    if state == "open" then return value, more end
    if state == "mine" then return open(self, value, more) end
  end
end

-- The generation each coroutine got last: hooks of different connections share this object.
local function seen(self)
  self._seen = self._seen or setmetatable({}, { __mode = "k" })
  return self._seen
end

---The session's value, opening it if need be. Waits. Raises what `open` raises.
---@return any value what `open` returned, as plain data
function Session:get()
  local value, generation = take(self)
  seen(self)[raw.running()] = generation
  return value
end

---Opens the session anew (once, however many hooks ask for it), because the value `get` gave last no longer works.
---@return any value
function Session:renew()
  local value, generation = take(self, seen(self)[raw.running()])
  seen(self)[raw.running()] = generation
  return value
end

-- For http: the headers that carry the session, and the generation to renew by.
function Session:_headers(stale)
  local value, generation = take(self, stale)
  local headers = self._makeHeaders and self._makeHeaders(value)
  if headers == nil and type(value) == "table" then headers = value.headers end
  if type(headers) ~= "table" then
    error("session '" .. self._name .. "': declare headers = function(value) to use it with http", 0)
  end
  return headers, generation
end

-- Those that were declared, by name: whose close it is when a session ends outside of any hook.
local declared, count, most = {}, 0, 1000

raw.closer(function(name, value)
  local self = declared[name]
  if self and self._close and value ~= nil then
    local ok, err = safely(self._close, value, raw.connection())
    if not ok then error(err, 0) end
  end
  return true
end)

local known = { name = "string!", open = "function!", close = "function", ttl = "number", headers = "function" }

---Declares a shared session, at the top of a provider. Nothing is opened before the first use.
---@param options { name: string, open: (fun(connection: BackupProvider?): any), close: (fun(value: any, connection: BackupProvider?))?, ttl: number?, headers: (fun(value: any): table)? }
---  name: together with the connection it says which session. open: logs in, with what the hook's connection says, and returns plain data (a token or a table); all texts in it are
---  secret; what it does counts as safe. close: logs out; it is called at most once for every value, when a new one replaces it and when the session ends:
---  the runtime closes in order, the connection is removed or its credentials have changed. Then it has 3 seconds at most and can use no session. ttl: seconds after which it is opened anew. headers: the request headers that
---  carry it, for http.request{ session = ... }; not needed if the value has `headers`
---@return { get: fun(self): any, renew: fun(self): any } session
local function session(options)
  check(options, "session", known)
  if options.name == "" or #options.name > 100 then raise("session: 'name' must have 1 to 100 bytes") end
  local self = setmetatable({
    _name = options.name, _open = options.open, _close = options.close, _ttl = options.ttl, _makeHeaders = options.headers
  }, Session)
  if declared[self._name] or count < most then
    if not declared[self._name] then count = count + 1 end
    declared[self._name] = self
  end
  return self
end

return session
