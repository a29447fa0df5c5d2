-- The world of one test: a runtime on virtual time with what is outside of it (mocks), and the hours that pass in it.
--
--   settle()            everything that can happen now happens: the runtime steps, its events are taken, its calls go to the mocks
--   drive(until, done)  the same, and time moves on, from one thing that is due to the next
--
-- What the runtime asks of the outside arrives as calls (host services); each is counted, given to whoever serves it, and answered once.
-- Here is also where a world dies (crash.lua): at a commit or at a call, by cutting the runtime's store.
--
-- Invariant: nothing of the dead runtime is heard of any more: replies that were waited for answer `died`.
local raw = require "orrery.raw"
local json = require "orrery.json"
local blame = require "orrery.blame"
local runtime = require "orrery.runtime"
local http = require "orrery.mock_http"
local process = require "orrery.mock_process"
local jobs = require "orrery.jobs"

local World = {}
World.__index = World

local SECOND = 1000
local REAL_WAIT = 100 -- ms
local TURNS = 2000000 -- of one settle(): a runtime that never comes to rest is a fault

local function settingsFor(settings, provider)
  local all = {}
  if provider then all.providers = { provider.folder } end
  for key, value in pairs(settings or {}) do all[key] = value end
  return all
end

local served = { http = http.serve, process = process.serve }

local function offerAll(self)
  for service in pairs(self.services) do
    local ok, err = raw.offer(self.rt.handle, service)
    if not ok then error(("the service %s: %s"):format(service, err.message), 0) end
  end
end

--- A new one: settings on top of the usual, and the provider under test (session.lua) or nil. What is named in settings.real (a list of "http",
--- "process") is not mocked: it is the machine's own.
function World.new(settings, provider)
  local real, wanted = {}, {}
  for key, value in pairs(settings or {}) do wanted[key] = value end
  for _, service in ipairs(wanted.real or {}) do real[service] = true end
  wanted.real = nil
  local rt, err = runtime.open(settingsFor(wanted, provider))
  if not rt then blame.raise("the runtime does not open: %s", err.message) end
  local self = setmetatable({
    rt = rt, provider = provider, services = {}, timers = {}, calls = 0, wrong = {}, ledgers = {}, origins = {}, programs = {}, jobs = process.jobs(),
    acts = {}, saw = {}, seen = {}, commitCalls = {}, died = 0, sequence = 0,
  }, World)
  self.isReal = wanted.clock == "real"
  for service, serve in pairs(served) do
    if not real[service] then self.services[service] = serve end
  end
  offerAll(self)
  return self
end

function World:now() return raw.now(self.rt.handle) end

--- Remembers what makes the test fail when it has ended, once.
function World:complain(message)
  for _, known in ipairs(self.wrong) do
    if known == message then return end
  end
  table.insert(self.wrong, message)
end

--- At that instant of the runtime's clock `act` is called.
function World:at(ms, act)
  self.sequence = self.sequence + 1
  table.insert(self.timers, { due = ms, act = act, sequence = self.sequence })
  table.sort(self.timers, function(a, b)
    if a.due ~= b.due then return a.due < b.due end
    return a.sequence < b.sequence
  end)
end

-- ---- outside -----------------------------------------------------------------------------------------------------

--- The one answer: a value, or nil and an error { code, message, details }; it arrives `delay` seconds later. Of a runtime that is no more:
--- nobody hears it.
function World:answer(call, value, err, delay)
  if call.life ~= self.died then return end
  local text = value ~= nil and json.encode(value) or err and err.details and json.encode(err.details) or nil
  local ok, refused = raw.answer(self.rt.handle, call.id, text, err and err.code or nil, err and err.message or nil, (delay or 0) * SECOND)
  if not ok and refused.code ~= "not_found" then self:complain("the answer of a mock: " .. refused.message) end
end

function World:tell(service, value)
  local ok, err = raw.tell(self.rt.handle, service, json.encode(value))
  if not ok then self:complain("the news of a mock: " .. err.message) end
end

--- Something leaves for the outside, where process() is what it does there: act = { name, isSafe }. A death that is planned for it comes
--- before, after, or before with the outside doing it `delay` milliseconds later all the same.
function World:outside(act, process)
  self.calls = self.calls + 1
  if self.died == 0 then table.insert(self.acts, act) end
  table.insert(self.saw, { name = act.name, at = self:now(), life = self.died })
  local plan = self.plan
  if not plan or plan.call ~= self.calls then return process() end
  if plan.when == "late" then self:at(self:now() + plan.delay, process)
  elseif plan.when == "after" then process() end
  self:die(raw.commits(self.rt.handle))
end

--- It will be answered later; time goes on meanwhile.
function World:hold(call)
  if call.life == self.died then raw.hold(self.rt.handle, call.id) end
end

local function take(self, id, service, text)
  self.services[service](self, { id = id, service = service, args = json.decode(text), life = self.died })
end

-- ---- turning -----------------------------------------------------------------------------------------------------

local kinds = {}

function kinds.reply(rt, id, value, err) rt.replies[id] = { data = value, err = err } end

function kinds.update(rt, id, value)
  rt.updates[id] = rt.updates[id] or {}
  table.insert(rt.updates[id], value)
end

function kinds.log(rt, _, value) table.insert(rt.logs, value) end

--- Takes the events there are. Returns whether there were any.
function World:pull()
  local any, life = false, self.died
  while life == self.died do
    local kind, id, text, err = raw.next(self.rt.handle)
    if not kind then return any end
    any = true
    if kind == "call" then take(self, id, err, text)
    elseif kinds[kind] then kinds[kind](self.rt, id, json.decode(text), err) end
  end
  return true
end

local function fire(self)
  local first = self.timers[1]
  if not first or first.due > self:now() then return false end
  table.remove(self.timers, 1)
  first.act()
  return true
end

--- Steps once; the time until which it may jump is for drive() only.
local function turn(self, ms)
  local did = raw.step(self.rt.handle, ms or 0)
  local plan = self.plan
  if self.died == 0 then
    for _ = #self.commitCalls + 1, raw.commits(self.rt.handle) do table.insert(self.commitCalls, self.calls) end
  end
  if plan and plan.commit and raw.commits(self.rt.handle) >= plan.commit then
    self:die(plan.commit)
    return true
  end
  return self:pull() or did
end

function World:settle()
  for _ = 1, TURNS do
    local did = turn(self)
    if fire(self) then did = true end
    if not did then return end
  end
  error("the runtime does not come to rest", 0)
end

--- The same where time goes by itself.
local function driveReal(self, untilMs, done)
  while true do
    turn(self, REAL_WAIT)
    local is = done and done()
    if is then return is end
    if self:now() >= untilMs then return false end
  end
end

--- Lets time go on until done() or that instant. Returns what done() answered, or false.
function World:drive(untilMs, done)
  if self.isReal then return driveReal(self, untilMs, done) end
  while true do
    self:settle()
    local is = done and done()
    if is then return is end
    local now = self:now()
    if now >= untilMs then return false end
    local target = self.timers[1] and self.timers[1].due < untilMs and self.timers[1].due or untilMs
    if target > now and not turn(self, target - now) then
      -- Nothing is due before it, and nothing in flight.
      raw.advance(self.rt.handle, target - self:now())
    end
  end
end

function World:advance(seconds) self:drive(self:now() + seconds * SECOND) end

-- ---- asking ------------------------------------------------------------------------------------------------------

--- Asks and lets time go on until the reply: data, or nil and the error; { code = "died" } if the runtime died before it came.
function World:request(name, args, seconds)
  local life = self.died
  local id, err = self.rt:submit(name, args)
  if not id then return nil, err end
  self:drive(self:now() + (seconds or 86400) * SECOND, function() return self.died ~= life or self.rt.replies[id] end)
  if self.died ~= life then return nil, { code = "died", message = "the runtime died before it answered " .. name } end
  local reply = self.rt.replies[id]
  if not reply then
    raw.stop(self.rt.handle, id)
    return nil, { code = "timeout", message = ("%s was not answered within %d seconds"):format(name, seconds or 86400) }
  end
  self.rt.replies[id], self.rt.updates[id] = nil, nil
  if reply.err then return nil, reply.err end
  return reply.data
end

-- ---- dying and ending --------------------------------------------------------------------------------------------

--- Dies with that many commits; a fresh runtime opens what they left.
function World:die(commits)
  local rt, plan = self.rt, self.plan
  self.died = self.died + 1
  self.plan = nil
  rt.settings.seed = tostring(1 + self.died)
  local ok, err = raw.cut(rt.handle, commits, rt.settings)
  if not ok then error("the runtime does not open after its death: " .. err.message, 0) end
  rt.replies, rt.updates = {}, {}
  for code, source in pairs(rt.sources) do assert(raw.provider(rt.handle, code, source)) end
  offerAll(self)
  if self.services.process then self.jobs:introduce(self) end
  if plan.onDeath then plan.onDeath(self) end
end

function World:close()
  for _, ledger in ipairs(self.ledgers) do ledger.world = nil end
  if self.rt then self.rt:close() end
  self.rt = nil
end

--- How many jobs were started outside, by all that counts them.
function World:started()
  local count = http.started(self) + process.started(self)
  for _, ledger in ipairs(self.ledgers) do count = count + ledger.started end
  return count
end

--- How many jobs are still there outside, and how many were cancelled: of ledgers, which know.
function World:remaining()
  local left, cancelled = 0, 0
  for _, ledger in ipairs(self.ledgers) do
    local there, ended = jobs.count(ledger)
    left, cancelled = left + there, cancelled + ended
  end
  return left, cancelled
end

--- How many results were met, deleted ones too.
function World:results()
  local count = 0
  for _ in pairs(self.seen) do count = count + 1 end
  return count
end

--- Ends it; what was wrong, or nil.
function World:finish()
  if self.died == 0 then
    http.check(self)
    process.check(self)
  end
  if self.recording then self.recording(self) end
  self:close()
  return #self.wrong > 0 and table.concat(self.wrong, "\n") or nil
end

return World
