-- mock.fault: what goes wrong outside. A fault stands where a reply may stand, in a route or in the list of :fault().
--
-- Two kinds: statuses, which are replies like others; and breaks, where no answer comes. `processed` says that the work was done all the
-- same (the route's own reply is made, so that what it changes is changed) and only the answer is lost.
local blame = require "orrery.blame"

---What stands where a reply may stand, and goes wrong.
---@class MockFault

---`processed`: the work was done all the same, and only the answer is lost.
---@class TestFaults
local fault = {}

local Break = {}

local function broken(name, code, message, options, sent)
  options = blame.check("fault." .. name, options or {}, { processed = true })
  return setmetatable({ code = code, message = message, sent = sent, isProcessed = options.processed or false, name = name }, Break)
end

function fault.is(value) return getmetatable(value) == Break end

-- The runtime had stopped waiting: there was no answer, and there is none.
local unanswered = { deadline = true, cancelled = true }

-- What a recording has instead of an answer, that many seconds later: final, as the runtime's own retries have had their turn.
function fault.recorded(code, message, sent, delay)
  return setmetatable({ code = code, message = message, sent = sent, delay = delay, isProcessed = true, isFinal = true, isSilent = unanswered[code], name = "recorded" }, Break)
end

--- Nobody listens there: certainly never sent.
---@return MockFault
function fault.refused() return broken("refused", "unreachable", "Connection refused", nil, false) end

--- The connection ends without an answer.
---@param options? { processed: boolean? }
---@return MockFault
function fault.reset(options) return broken("reset", "unreachable", "the connection was closed without an answer", options, true) end

--- No answer until the request's time is up.
---@param options? { processed: boolean? }
---@return MockFault
function fault.timeout(options)
  local self = broken("timeout", "timeout", "no complete answer within its time", options, true)
  self.isSilent = true
  return self
end

--- The connection ends in the middle of the answer: the work was done.
---@return MockFault
function fault.truncated() return broken("truncated", "unreachable", "the connection was closed in the middle of the answer", { processed = true }, true) end

--- A status: `more` is the rest of the reply; more.processed: the work was done all the same.
---@param status integer
---@param more? { headers: table<string, string|number>?, json: any, body: string?, processed: boolean? }
---@return MockFault
function fault.status(status, more)
  local reply = { status = status, isFault = true }
  for key, value in pairs(more or {}) do reply[key == "processed" and "isProcessed" or key] = value end
  return reply
end

--- 429 with Retry-After, which says that nothing was done.
---@param seconds? integer
---@return MockFault
function fault.tooMany(seconds) return fault.status(429, { headers = { ["retry-after"] = tostring(seconds or 1) }, body = "too many requests" }) end

--- 401.
---@param more? table
---@return MockFault
function fault.unauthorized(more) return fault.status(401, more or { body = "unauthorized" }) end

--- The work was done; the answer is JSON that ends in its midst.
---@return MockFault
function fault.badJson()
  return fault.status(200, { headers = { ["content-type"] = "application/json" }, body = '{"id": "j-', processed = true })
end

--- A reply (or nothing: the route's own) that comes so many seconds later.
---@param seconds number
---@param reply? HttpMockReply|ProcessMockReply
---@return MockFault
function fault.delay(seconds, reply)
  if type(seconds) ~= "number" then blame.raise "fault.delay takes seconds" end
  if not reply then return { isFault = true, isProcessed = true, isOwn = true, delay = seconds } end
  reply = type(reply) == "number" and { status = reply } or reply
  reply.delay = seconds
  return reply
end

--- The program is not installed (mock.process).
---@return MockFault
function fault.missing() return broken("missing", "no_program", "no such program", nil, false) end

--- It was ended by that signal (mock.process).
---@param signal? integer
---@return MockFault
function fault.killed(signal) return { code = -1, signal = signal or 9 } end

return fault
