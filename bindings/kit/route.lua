-- Routes of a mock: a pattern, replies that come one after the other, and faults that the next requests meet first.
--
-- What a pattern matches is the mock's own business; here is only whose turn it is and what a reply is.
local blame = require "orrery.blame"
local fault = require "orrery.fault"

---@class MockRoute
local Route = {}
Route.__index = Route

local function new(pattern, replies)
  if #replies == 0 then blame.raise("%s: a route needs a reply", pattern) end
  return setmetatable({ pattern = pattern, replies = replies, number = 0, line = blame.where() }, Route)
end

--- Each request that it processes starts a job outside; with key(request), one per key: a key that comes again gets the first reply.
---@param key? fun(request: any): string?
---@return self
function Route:starts(key)
  self.ledger = { started = 0, replies = {} }
  self.key = key
  return self
end

local function chosen(reply, request)
  if type(reply) ~= "function" then return reply end
  return chosen(reply(request), request)
end

-- What it answers to a request that it processes: a table or a break.
function Route:process(request)
  self.number = self.number + 1
  request.number = self.number
  local key = self.key and self.key(request)
  if key ~= nil and self.ledger.replies[key] then return self.ledger.replies[key] end
  local reply = chosen(self.replies[math.min(self.number, #self.replies)], request)
  local isDone = not fault.is(reply) and not (type(reply) == "table" and reply.isFault) or reply.isProcessed
  if self.ledger and isDone then
    self.ledger.started = self.ledger.started + 1
    if key ~= nil then self.ledger.replies[key] = reply end
  end
  return reply
end

-- The request meets that fault first: the reply, or the break.
function Route:meet(broken, request)
  if type(broken) == "function" then broken = chosen(broken, request) end
  if not broken.isProcessed then return broken end
  local reply = self:process(request)
  if not broken.isOwn then return broken end
  if type(reply) == "number" then reply = { status = reply } end
  local later = {}
  for name, value in pairs(reply) do later[name] = value end
  later.delay = broken.delay
  return fault.is(reply) and reply or later
end

return { new = new }
