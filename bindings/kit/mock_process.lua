-- mock.process(program): a program that exists only in the spec, run by process.run at once, or by job.start for as long as it says.
--
--   job.start --> running --(lasts)--> ended      the runtime is told of its output and its end; a job outlives the runtime's death
--                   +--job.cancel----> ended, cancelled
--
-- A command that no route expects fails the test.
local session = require "orrery.session"
local blame = require "orrery.blame"
local fault = require "orrery.fault"
local routes = require "orrery.route"
local url = require "orrery.url"
local json = require "orrery.json"

---What was run.
---@class ProcessMockCommand
---@field argv string[] the program first
---@field env table<string, string>
---@field stdin? string
---@field job? string the name that job.start gave it
---@field number integer how often this route was asked, from 1
---@field at number (ms since 1970)

---An exit code; what it prints, how it ends, and for job.start how many seconds it lasts (`stdout` may be a list of { second, text } then); a fault; or a
---function of the command that answers one of them.
---@alias ProcessMockReply integer|{ code: integer?, signal: integer?, stdout: (string|table)?, stderr: string?, delay: number?, lasts: number? }|MockFault|fun(command: ProcessMockCommand): any

---A program that exists only in the test, for process.run and job.start.
---@class ProcessMock
---@field commands ProcessMockCommand[] all that was run, in order
local Mock = {}
Mock.__index = Mock

-- ---- patterns ----------------------------------------------------------------------------------------------------

--- Words behind the program: "snapshots --json ...", or a table where words have blanks in them.
local function compile(pattern)
  if type(pattern) == "table" then return pattern end
  if type(pattern) ~= "string" then blame.raise("a command is the words behind the program, not %s", type(pattern)) end
  local words = {}
  for word in pattern:gmatch("%S+") do table.insert(words, word) end
  return words
end

local function match(words, argv)
  for at, word in ipairs(words) do
    if word == "..." and at == #words then return true end
    if argv[at + 1] == nil or word ~= "*" and word ~= argv[at + 1] then return false end
  end
  return #argv == #words + 1
end

local function shown(pattern) return type(pattern) == "table" and table.concat(pattern, " ") or pattern end

-- ---- what a spec says --------------------------------------------------------------------------------------------

--- A command by its words (* is one, a last ... any more; a table where words have blanks) and its replies, one after the other.
---@param pattern string|string[]
---@param ... ProcessMockReply
---@return MockRoute
function Mock:on(pattern, ...)
  local route = routes.new(shown(pattern), { ... })
  route.words = compile(pattern)
  table.insert(self.routes, 1, route)
  return route
end

--- The next commands that match meet these first, one each.
---@param pattern string|string[]
---@param ... ProcessMockReply
---@return self
function Mock:fault(pattern, ...)
  for _, broken in ipairs { ... } do table.insert(self.faults, { pattern = shown(pattern), words = compile(pattern), fault = broken, line = blame.where() }) end
  return self
end

local function matching(self, pattern)
  local words, found = compile(pattern), {}
  for _, command in ipairs(self.commands) do
    if match(words, command.argv) then table.insert(found, command) end
  end
  return found
end

--- How many commands came that match; all, without a pattern.
---@param pattern? string|string[]
---@return integer
function Mock:count(pattern) return pattern and #matching(self, pattern) or #self.commands end

--- The last of them, or nil.
---@param pattern? string|string[]
---@return ProcessMockCommand?
function Mock:last(pattern)
  local found = pattern and matching(self, pattern) or self.commands
  return found[#found]
end

-- ---- a command ---------------------------------------------------------------------------------------------------

local function mockFor(world, program)
  return world.programs[program] or world.programs[program:match("[^/]+$")]
end

local function unexpected(mock, world, argv)
  local patterns = {}
  for i = #(mock and mock.routes or {}), 1, -1 do table.insert(patterns, mock.routes[i].pattern) end
  local line = table.concat(argv, " ")
  if not mock then world:complain(("%s: there is no mock for it; mock.process \"%s\" makes one"):format(line, argv[1]))
  else world:complain(("%s: no command expects it; there are: %s"):format(line, table.concat(patterns, ", "))) end
  return fault.missing()
end

local function process(mock, world, command)
  if not mock then return unexpected(mock, world, command.argv) end
  table.insert(mock.commands, command)
  local broken
  for at, entry in ipairs(mock.faults) do
    if match(entry.words, command.argv) then
      broken = table.remove(mock.faults, at).fault
      break
    end
  end
  for _, route in ipairs(mock.routes) do
    if match(route.words, command.argv) then
      local ok, reply = xpcall(function()
        if broken then return route:meet(broken, command) end
        return route:process(command)
      end, function(raised) return { text = blame.text(raised) } end)
      if ok then return reply end
      world:complain(("the command %s: %s"):format(route.pattern, reply.text))
      return { code = 1 }
    end
  end
  return broken or unexpected(mock, world, command.argv)
end

local function normal(reply)
  if type(reply) == "number" then return { code = reply } end
  if type(reply) ~= "table" then blame.raise("a reply is a table, an exit code, a function or a fault, not %s", type(reply)) end
  return reply
end

local function carryOut(world, call, what)
  local args = call.args
  local command = { argv = args.argv, env = args.env or {}, stdin = url.take(args, "stdin"), at = world:now(), job = args.name }
  local reply
  world:outside({ name = what .. " " .. table.concat(args.argv, " ") }, function()
    reply = process(mockFor(world, args.argv[1]), world, command)
    if not fault.is(reply) then reply = normal(reply) end
    command.reply = reply
    if what == "job.start" and not fault.is(reply) then world.jobs:begin(world, args, reply) end
  end)
  return reply
end

local ops = {}

function ops.run(world, call)
  local reply = carryOut(world, call, "exec")
  if call.life ~= world.died then return end
  if fault.is(reply) then
    if reply.isSilent then return world:hold(call) end
    return world:answer(call, nil, { code = reply.code, message = call.args.argv[1] .. ": " .. reply.message, details = { sent = reply.sent } })
  end
  local answer = { code = reply.code or 0, signal = reply.signal or 0 }
  url.put(answer, "stdout", reply.stdout or "")
  url.put(answer, "stderr", reply.stderr or "")
  world:answer(call, answer, nil, reply.delay)
end

-- ---- jobs --------------------------------------------------------------------------------------------------------

local Jobs = {}
Jobs.__index = Jobs

local function keyOf(args) return args.key .. "/" .. args.name end

--- Tells the runtime of the output since the last time, and of the end.
local function tell(world, job, from)
  local news = { key = job.key, name = job.name, state = job.state, startDate = job.startDate, endDate = job.endDate, code = job.code, signal = job.signal,
                 cancelled = job.isCancelled }
  news[job.split and "out" or "log"] = table.concat(job.output, "", (from or 0) + 1)
  if job.state ~= "running" and job.stderr then news.log = (news.log or "") .. job.stderr end
  world:tell("process", { job = news })
end

local function finish(world, job, code, signal, isCancelled)
  if job.state ~= "running" then return end
  job.state, job.code, job.signal, job.isCancelled, job.endDate = "ended", code, signal, isCancelled, world:now()
  tell(world, job, #job.output)
end

-- It runs from now on; what it prints and when it ends are on the world's clock.
function Jobs:begin(world, args, reply)
  local job = { key = args.key, name = args.name, state = "running", startDate = world:now(), output = {}, split = args.split, stderr = reply.stderr }
  self.byKey[keyOf(args)] = job
  self.started = self.started + 1
  local lines = type(reply.stdout) == "table" and reply.stdout or reply.stdout and { { 0, reply.stdout } } or {}
  for _, line in ipairs(lines) do
    local function prints()
      if job.state ~= "running" then return end
      table.insert(job.output, line[2])
      tell(world, job, #job.output - 1)
    end
    if line[1] == 0 then prints()
    else world:at(job.startDate + line[1] * 1000, prints) end
  end
  local function ends() finish(world, job, reply.code or 0, reply.signal or 0, false) end
  -- What ends at once has ended when its start is answered: news must not overtake the answer.
  if (reply.lasts or 0) == 0 then ends()
  else world:at(job.startDate + reply.lasts * 1000, ends) end
end

local function status(job)
  return { state = job.state, code = job.code, signal = job.signal, cancelled = job.isCancelled or false, startDate = job.startDate, endDate = job.endDate }
end

function ops.jobStart(world, call)
  local job = world.jobs.byKey[keyOf(call.args)]
  if not job then
    local reply = carryOut(world, call, "job.start")
    if call.life ~= world.died then return end
    if fault.is(reply) then return world:answer(call, nil, { code = reply.code, message = call.args.argv[1] .. ": " .. reply.message }) end
    job = world.jobs.byKey[keyOf(call.args)]
  end
  world:answer(call, status(job))
end

function ops.jobCancel(world, call)
  local job = world.jobs.byKey[keyOf(call.args)]
  world:outside({ name = "job.cancel " .. call.args.name, isSafe = true }, function()
    if job then finish(world, job, -1, 15, true) end
  end)
  world:answer(call, json.object())
end

function ops.jobRemove(world, call)
  for key, job in pairs(world.jobs.byKey) do
    if job.key == call.args.key then world.jobs.byKey[key] = nil end
  end
  world:answer(call, json.object())
end

-- A fresh runtime is told of the jobs there are, and of the programs.
function Jobs:introduce(world)
  local programs, any = {}, false
  for name in pairs(world.programs) do programs[name], any = "/usr/bin/" .. name:match("[^/]+$"), true end
  if any then world:tell("process", { programs = programs }) end
  for _, job in pairs(self.byKey) do tell(world, job, 0) end
end

local function serve(world, call)
  local op = ops[call.args.op]
  if not op then return world:answer(call, nil, { code = "refused", message = "mock.process does not know " .. tostring(call.args.op) }) end
  op(world, call)
end

--- The program of that name, for this test.
---@param program string as argv[1] has it
---@return ProcessMock
local function new(program)
  if type(program) ~= "string" or program == "" then blame.raise "mock.process takes the name of a program, as argv[1] has it" end
  local world = session.here()
  if world.programs[program] then blame.raise("mock.process: there is one for %s in this test already", program) end
  world.programs[program] = setmetatable({ program = program, routes = {}, faults = {}, commands = {} }, Mock)
  world.jobs:introduce(world)
  return world.programs[program]
end

local function check(world)
  for program, mock in pairs(world.programs) do
    for _, entry in ipairs(mock.faults) do world:complain(("%s: the fault for %s %s was never met"):format(entry.line, program, entry.pattern)) end
  end
end

local function started(world)
  local count = world.jobs.started
  for _, mock in pairs(world.programs) do
    for _, route in ipairs(mock.routes) do count = count + (route.ledger and route.ledger.started or 0) end
  end
  return count
end

return { new = new, serve = serve, check = check, started = started, jobs = function() return setmetatable({ byKey = {}, started = 0 }, Jobs) end }
