-- mock.http(origin): an HTTP server that exists only in the spec. It answers what the runtime asks as its libcurl would have it answered:
-- safe requests are tried again, a 429 or 503 with Retry-After is waited for, redirects are followed within the origin.
--
--   call --> attempt --> the crash's turn (before) --> route or fault --> the crash's turn (after) --> deliver
--              ^                                                              |
--              +------------- back-off, Retry-After, redirect ----------------+
--
-- A request that no route expects fails the test, and does not get through.
local json = require "orrery.json"
local session = require "orrery.session"
local blame = require "orrery.blame"
local fault = require "orrery.fault"
local routes = require "orrery.route"
local url = require "orrery.url"

---What came.
---@class HttpMockRequest
---@field method string
---@field path string
---@field url string
---@field query table<string, string>
---@field params table<string, string> what stood for :name in the route, and `rest` for a last *
---@field headers table<string, string> in lower case
---@field body? string
---@field json? any the body as a value
---@field number integer how often this route was asked, from 1
---@field at number (ms since 1970)
---@field username? string
---@field password? string

---A status; a reply; a fault; or a function of the request that answers one of them. `delay` is in seconds.
---@alias HttpMockReply integer|{ status: integer?, headers: table<string, string|number>?, json: any, body: string?, delay: number? }|MockFault|fun(request: HttpMockRequest): any

---An HTTP server that exists only in the test.
---@class HttpMock
---@field requests HttpMockRequest[] all that came, in order
local Mock = {}
Mock.__index = Mock

-- The policy of the runtime's own client (runtime/port/http.h); tests/kit/policy.sh compares the two.
local RETRIES, BACK_OFF, REDIRECTS, TIMEOUT = 3, 500, 10, 30000
local leads = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
local bodiless = { [204] = true, [304] = true }

-- ---- patterns ----------------------------------------------------------------------------------------------------

local function compile(pattern)
  local method, rest = tostring(pattern):match("^(%u+) (/.*)$")
  if not method then blame.raise("a route is \"METHOD /path\", not '%s'", tostring(pattern)) end
  local parts = url.split(rest)
  return { method = method, segments = parts.segments, query = parts.query, isOpen = parts.segments[#parts.segments] == "*" }
end

--- The parameters if it matches.
local function match(compiled, request)
  if compiled.method ~= "ANY" and compiled.method ~= request.method then return nil end
  local wanted, given, params = compiled.segments, request.segments, {}
  local count = compiled.isOpen and #wanted - 1 or #wanted
  if #given < count or #given > count and not compiled.isOpen then return nil end
  for i = 1, count do
    local name = wanted[i]:match("^:([%w_]+)$")
    if name then params[name] = given[i]
    elseif wanted[i] ~= given[i] then return nil end
  end
  for key, value in pairs(compiled.query) do
    if request.query[key] ~= value then return nil end
  end
  if compiled.isOpen then params.rest = table.concat(given, "/", count + 1) end
  return params
end

-- ---- what a spec says --------------------------------------------------------------------------------------------

--- A route: "METHOD /path/:name" (ANY is every method, a last * the rest of the path, ?k=v wants that pair) and its replies, one
--- after the other; the last one stays. A later route wins over an earlier one.
---@param pattern string
---@param ... HttpMockReply
---@return MockRoute
function Mock:on(pattern, ...)
  local route = routes.new(pattern, { ... })
  route.compiled = compile(pattern)
  table.insert(self.routes, 1, route)
  return route
end

--- The next requests that match meet these, one each, before the route.
---@param pattern string
---@param ... HttpMockReply
---@return self
function Mock:fault(pattern, ...)
  for _, broken in ipairs { ... } do table.insert(self.faults, { pattern = pattern, compiled = compile(pattern), fault = broken, line = blame.where() }) end
  return self
end

local function matching(self, pattern)
  local compiled, found = compile(pattern), {}
  for _, request in ipairs(self.requests) do
    if match(compiled, request) then table.insert(found, request) end
  end
  return found
end

--- How many requests came that match; all, without a pattern.
---@param pattern? string
---@return integer
function Mock:count(pattern) return pattern and #matching(self, pattern) or #self.requests end

--- The last of them, or nil.
---@param pattern? string
---@return HttpMockRequest?
function Mock:last(pattern)
  local found = pattern and matching(self, pattern) or self.requests
  return found[#found]
end

--- Routes, faults and requests are forgotten.
function Mock:reset() self.routes, self.faults, self.requests = {}, {}, {} end

-- ---- requests ----------------------------------------------------------------------------------------------------

local function newRequest(world, args)
  local parts = url.split(args.url)
  local request = { method = args.method, url = args.url, path = parts.path, query = parts.query, segments = parts.segments, headers = {},
                    body = url.take(args, "body"), username = args.username, password = args.password, at = world:now(), origin = parts.origin }
  for name, value in pairs(args.headers or {}) do
    request.headers[name:lower()] = type(value) == "table" and table.concat(value, ", ") or value
  end
  if args.username or args.password then
    request.headers.authorization = "Basic " .. url.toBase64((args.username or "") .. ":" .. (args.password or ""))
  end
  if request.body and request.body ~= "" then
    request.json = json.decode(request.body)
  end
  return request
end

local function unexpected(self, world, request)
  local patterns = {}
  for i = #self.routes, 1, -1 do table.insert(patterns, self.routes[i].pattern) end
  local there = #patterns > 0 and "there are: " .. table.concat(patterns, ", ") or "it has no routes"
  local message = ("%s %s%s: no route expects it; %s"):format(request.method, url.short(request.origin), request.path, there)
  world:complain(message)
  return setmetatable({ code = "unreachable", message = message, sent = false }, getmetatable(fault.refused()))
end

local function takeFault(self, request)
  for at, entry in ipairs(self.faults) do
    local params = match(entry.compiled, request)
    if params then
      table.remove(self.faults, at)
      return entry.fault
    end
  end
end

--- The world outside does what it does with a request: a reply or a break.
local function process(self, world, request)
  if self.answer then return self:answer(world, request) end
  local broken = takeFault(self, request)
  for _, route in ipairs(self.routes) do
    request.params = match(route.compiled, request)
    if request.params then
      request.route = route.pattern
      local ok, reply = xpcall(function()
        if broken then return route:meet(broken, request) end
        return route:process(request)
      end, function(raised) return { text = blame.text(raised) } end)
      if ok then return reply end
      world:complain(("the route %s: %s"):format(route.pattern, reply.text))
      return fault.reset { processed = true }
    end
  end
  if broken and not broken.isProcessed then return broken end
  return unexpected(self, world, request)
end

--- Any reply as { status, headers, body }.
local function normal(reply)
  if type(reply) == "number" then return { status = reply, headers = {}, body = "" } end
  if type(reply) ~= "table" then blame.raise("a reply is a table, a status, a function or a fault, not %s", type(reply)) end
  local out = { status = reply.status or 200, headers = {}, body = reply.body or "", delay = reply.delay, isFinal = reply.isFinal }
  for name, value in pairs(reply.headers or {}) do out.headers[name:lower()] = tostring(value) end
  if reply.json ~= nil then
    out.body = json.encode(reply.json)
    out.headers["content-type"] = out.headers["content-type"] or "application/json"
  end
  return out
end

-- ---- one call of the runtime -------------------------------------------------------------------------------------

local attempt

local function budget(state) return state.deadline - state.world:now() end

--- After at least that many milliseconds it is tried again, if there is a retry and time left.
local function backOff(state, leastMs)
  local delay = math.max(leastMs, BACK_OFF * 2 ^ state.retries)
  if state.retries == RETRIES or delay >= budget(state) then return false end
  state.retries = state.retries + 1
  state.world:hold(state.call)
  state.world:at(state.world:now() + delay, function()
    if state.call.life == state.world.died then attempt(state) end
  end)
  return true
end

local function redirected(state, reply)
  local args, location = state.args, reply.headers.location
  if not args.safe or not location or not leads[reply.status] then return false end
  location = url.join(args.url, location)
  if url.origin(location) ~= url.origin(args.url) then return false end
  if state.redirects == REDIRECTS then
    local message = url.short(url.origin(args.url)) .. ": redirects without end"
    state.world:answer(state.call, nil, { code = "limit", message = message, details = { sent = true } })
    return true
  end
  state.redirects = state.redirects + 1
  args.url = location
  local becomesGet = reply.status == 303 and args.method ~= "HEAD" or (reply.status == 301 or reply.status == 302) and args.method == "POST"
  if becomesGet and args.method ~= "GET" then args.method, args.body, args.bodyBase64 = "GET", nil, nil end
  attempt(state)
  return true
end

--- Milliseconds; what is no number asks for no more than the usual back-off. Dates are not looked at: they are the real time's.
local function retryAfter(reply)
  local text = reply.headers["retry-after"]
  return text and (tonumber(text:match("^%s*(%d+)")) or 0) * 1000
end

local function deliver(state, reply)
  local world, call = state.world, state.call
  if fault.is(reply) then
    if reply.isSilent then return world:hold(call) end -- its time runs out by itself
    if reply.code == "unreachable" and state.args.safe and not reply.isFinal and backOff(state, 0) then return end
    local peer = reply.isFinal and "" or url.short(url.origin(state.args.url)) .. ": " -- what was recorded says so itself
    return world:answer(call, nil, { code = reply.code, message = peer .. reply.message, details = { sent = reply.sent } }, reply.delay)
  end
  local retry = retryAfter(reply)
  local isWaited = not reply.isFinal and retry and (reply.status == 429 or reply.status == 503 and state.args.safe)
  if isWaited and backOff(state, retry) or not reply.isFinal and redirected(state, reply) then return end
  local answer = { status = reply.status, headers = json.object(reply.headers) }
  url.put(answer, "body", (state.args.method == "HEAD" or bodiless[reply.status]) and "" or reply.body)
  world:answer(call, answer, nil, reply.delay)
end

attempt = function(state)
  local world, args = state.world, state.args
  local request = newRequest(world, args)
  local mock = world.origins[request.origin]
  local act = { name = ("%s %s%s"):format(args.method, url.short(request.origin), request.path), isSafe = args.safe }
  local reply
  world:outside(act, function()
    table.insert(mock.requests, request)
    reply = process(mock, world, request)
    if not fault.is(reply) then reply = normal(reply) end
    request.reply = reply
  end)
  if state.call.life == world.died then deliver(state, reply) end
end

local function serve(world, call)
  local args = call.args
  local origin = url.origin(args.url)
  if not world.origins[origin] then
    local message = ("%s %s: there is no mock for it; mock.http \"%s\" makes one"):format(args.method, args.url, url.short(origin))
    world:complain(message)
    return world:answer(call, nil, { code = "unreachable", message = message, details = { sent = false } })
  end
  attempt { world = world, call = call, args = args, retries = 0, redirects = 0, deadline = world:now() + (args.timeoutMillis or TIMEOUT) }
end

--- The server at that origin, for this test.
---@param origin string such as "https://acme.test"
---@return HttpMock
local function new(origin)
  local key = type(origin) == "string" and url.origin(origin)
  if not key then blame.raise "mock.http takes an origin, such as \"https://acme.test\"" end
  local world = session.here()
  if world.origins[key] then blame.raise("mock.http: there is one for %s in this test already", origin) end
  world.origins[key] = setmetatable({ origin = origin, routes = {}, faults = {}, requests = {} }, Mock)
  return world.origins[key]
end

--- At the end of a test: a fault that nobody met tested nothing.
local function check(world)
  for origin, mock in pairs(world.origins) do
    for _, entry in ipairs(mock.faults) do
      world:complain(("%s: the fault for %s %s was never met"):format(entry.line, entry.pattern, url.short(origin)))
    end
  end
end

--- What was started by routes that say so.
local function started(world)
  local count = 0
  for _, mock in pairs(world.origins) do
    for _, route in ipairs(mock.routes) do count = count + (route.ledger and route.ledger.started or 0) end
  end
  return count
end

return { new = new, serve = serve, check = check, started = started }
