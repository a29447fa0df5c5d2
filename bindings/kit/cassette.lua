-- mock.cassette(file): the outside as it was recorded, by `orrery result export` or `orrery provider test --record`.
--
-- The first line says what it is of, each other one is an exchange (docs/testing.md). A request gets the next exchange of its method and URL
-- that was not played yet; a safe one that comes more often gets the last one again. What the runtime's own policy did (retries, redirects)
-- is in the recording already, so what is played is final, and takes as long as it took. {uuid} stands for the result's uuid, which is another one here.
local session = require "orrery.session"
local blame = require "orrery.blame"
local fault = require "orrery.fault"
local json = require "orrery.json"
local url = require "orrery.url"

local UUID = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"
local PLACE = "{uuid}"
local SECRET = "not-the-real-one"
local safe = { GET = true, HEAD = true, OPTIONS = true }

-- What a connection, a server or a cloud is not made of.
local facts = { id = true, uuid = true, providerCode = true, enabled = true, createdDate = true, updatedDate = true, config = true, proxy = true, cloudId = true, cloud = true,
                cloudRef = true }

---@class Cassette
local Tape = {}
Tape.__index = Tape

-- ---- reading -----------------------------------------------------------------------------------------------------

local function place(path)
  if path:sub(1, 1) == "/" or not session.spec then return path end
  return (session.spec:match("^(.*)/") or ".") .. "/" .. path
end

local function read(path)
  local file, err = io.open(path)
  if not file then blame.raise("mock.cassette: %s; `provider test --record` makes it", err) end
  local lines = {}
  for line in file:lines() do
    local value, wrong = json.decode(line)
    -- A recording that a crash ended may have half a line at its end.
    if type(value) == "table" then table.insert(lines, value)
    elseif line:find("%S") and #lines == 0 then blame.raise("mock.cassette: %s is no cassette: %s", path, tostring(wrong)) end
  end
  file:close()
  local head = table.remove(lines, 1)
  if not head or head.cassette ~= 1 then blame.raise("mock.cassette: %s is no cassette of version 1", path) end
  return head, lines
end

-- ---- playing -----------------------------------------------------------------------------------------------------

--- Does the URL of the tape stand for this one? Learns what the uuid is here.
local function sameUrl(tape, recorded, given)
  if recorded == given then return true end
  local pattern = recorded:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("{uuid}", "(" .. UUID:gsub("%%", "%%%%") .. ")")
  local uuid = given:match("^" .. pattern .. "$")
  if uuid and recorded:find(PLACE, 1, true) then tape.uuid = uuid end
  return uuid ~= nil
end

local function withoutQuery(text) return (text:gsub("%?.*$", "")) end

local function find(tape, request)
  local last
  for pass = 1, 2 do
    for _, exchange in ipairs(tape.exchanges) do
      local recorded, given = exchange.request.url, request.url
      if pass == 2 then recorded, given = withoutQuery(recorded), withoutQuery(given) end
      if exchange.request.method == request.method and sameUrl(tape, recorded, given) then
        if not exchange.isPlayed then return exchange end
        last = exchange
      end
    end
    if last and safe[request.method] then return last end
  end
end

local function here(tape, text) return tape.uuid and text and (text:gsub("{uuid}", (tape.uuid:gsub("%%", "%%%%")))) or text end

local function learn(tape, exchange, request)
  if tape.uuid or not (exchange.request.body or ""):find(PLACE, 1, true) then return end
  tape.uuid = (request.body or ""):match(UUID)
end

local function shown(tape)
  local lines = {}
  for _, exchange in ipairs(tape.exchanges) do table.insert(lines, exchange.request.method .. " " .. exchange.request.url .. (exchange.isPlayed and " (played)" or "")) end
  return #lines > 0 and table.concat(lines, ", ") or "nothing"
end

-- Answers as recorded; for mock_http.lua.
function Tape:answer(world, request)
  local exchange = find(self, request)
  if not exchange then
    local message = ("%s %s: the cassette has no such request left; it has: %s"):format(request.method, request.url, shown(self))
    world:complain(message)
    return fault.recorded("unreachable", message, false)
  end
  exchange.isPlayed = true
  learn(self, exchange, request)
  local failure, reply, delay = exchange.error, exchange.reply, exchange.millis and exchange.millis / 1000
  if failure then return fault.recorded(failure.code, here(self, failure.message or ""), failure.sent, delay) end
  local headers = {}
  for name, value in pairs(reply.headers or {}) do
    if name ~= "content-length" and name ~= "transfer-encoding" and name ~= "content-encoding" then headers[name] = here(self, value) end
  end
  return { status = reply.status, headers = headers, body = here(self, url.take(reply, "body")) or "", delay = delay, isFinal = true }
end

-- ---- what it was of ----------------------------------------------------------------------------------------------

local function fields(object, secrets)
  if not object then return nil end
  local map = {}
  for key, value in pairs(object) do
    if not facts[key] then map[key] = value end
  end
  for key, value in pairs(object.config or {}) do map[key] = value end
  for _, name in ipairs(secrets or {}) do map[name] = SECRET end
  return map
end

--- What run.backup needs to do again what was recorded; `more` wins. Secrets are other ones.
---@param more? TestSetup
---@return TestSetup
function Tape:setup(more)
  local head, setup = self.head, {}
  if head then
    local result = head.result or {}
    setup = { provider = head.provider, options = {}, config = result.executionConfig, connection = fields(head.connection, head.connectionSecrets),
              server = fields(head.server), cloud = fields(head.cloud), delete = false }
    for key, value in pairs(head.backup and head.backup.config or {}) do setup.options[key] = value end
    for _, name in ipairs(head.backupSecrets or {}) do setup.options[name] = SECRET end
  end
  for key, value in pairs(self.given or {}) do
    if self.isRecording or setup[key] == nil then setup[key] = value end
  end
  for key, value in pairs(more or {}) do setup[key] = value end
  return setup
end

-- ---- recording ---------------------------------------------------------------------------------------------------

local function temporary()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  return path
end

local function save(world, path)
  local result = world.last
  local reply, err = nil, { message = "no result was met" }
  if result then reply, err = world:request("result.export", { result = tostring(result.id) }) end
  if not reply then return world:complain("the cassette is not recorded: " .. err.message) end
  local file, wrong = io.open(path, "w")
  if not file then return world:complain("the cassette is not recorded: " .. wrong) end
  file:write(reply.cassette)
  file:close()
end

local function record(path, given)
  local folder = temporary()
  local world = session.here { real = { "http" }, clock = "real", data_dir = folder, record_http = "all" }
  world.recording = function(self)
    save(self, path)
    os.execute("rm -rf '" .. folder .. "'")
  end
  return setmetatable({ given = given, isRecording = true, exchanges = {}, requests = {} }, Tape)
end

--- Plays what was recorded; with --record it is recorded. The file is beside the spec. `setup` is what it is recorded with, with real credentials.
---@param path string
---@param setup? TestSetup
---@return Cassette
local function new(path, setup)
  if type(path) ~= "string" then blame.raise "mock.cassette takes a file" end
  path = place(path)
  if session.context.record then return record(path, setup) end
  local head, exchanges = read(path)
  local world = session.here()
  local tape = setmetatable({ head = head, given = setup, exchanges = {}, requests = {}, routes = {}, faults = {} }, Tape)
  for _, exchange in ipairs(exchanges) do
    if exchange.request then
      table.insert(tape.exchanges, exchange)
      world.origins[url.origin(exchange.request.url)] = tape
    end
  end
  return tape
end

return { new = new }
