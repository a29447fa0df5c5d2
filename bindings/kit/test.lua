-- require "orrery.test": what a provider's spec uses. docs/testing.md describes every function.
local session = require "orrery.session"
local blame = require "orrery.blame"
local json = require "orrery.json"

require "orrery.assertions"

---@class TestKit
---@field mock TestMocks the outside
---@field run TestRun drives a Backup through its life
---@field clock TestClock the runtime's time, which is virtual
local test = { run = require "orrery.run", everyCrash = require "orrery.crash", clock = {} }

---@class TestMocks
---@field fault TestFaults what goes wrong there
---@field null any null in JSON
---@field object fun(values?: table): table marks a table as an object of JSON, so that an empty one is {} and not []
test.mock = {
  http = require("orrery.mock_http").new, process = require("orrery.mock_process").new, jobs = require("orrery.jobs").new,
  cassette = require("orrery.cassette").new,
  fault = require "orrery.fault", null = json.null, object = json.object,
}

-- ---- clock -------------------------------------------------------------------------------------------------------

---@class TestClock
local clock = test.clock

--- Moves time on by so many seconds, and does all that becomes due on the way.
---@param seconds number
function clock:advance(seconds)
  if type(seconds) ~= "number" or seconds < 0 then blame.raise "clock:advance takes seconds, and a colon" end
  session.here():advance(seconds)
end

--- The runtime's time: milliseconds since 1970.
---@return number milliseconds
function clock:now() return session.here():now() end

--- Lets what is going on come to rest; time stands still.
function clock:settle() session.here():settle() end

-- ---- the world ---------------------------------------------------------------------------------------------------

--- First in a test, where settings other than the usual are wanted (`orrery help serve` has them). `real`: what is no mock, but the machine's own.
---@param settings table<string, string|string[]>
function test.open(settings) session.here(settings or {}) end

--- Adds a provider from text, under its code: true, or nil and the error.
---@param code string
---@param source string
---@return true?, TestError?
function test.provider(code, source)
  local world = session.here()
  return world.rt:source(code, source)
end

--- Asks the runtime anything of docs/requests.md: its data, or nil and the error.
---@param name string such as "result.show"
---@param args? table<string, any>
---@return any data, TestError?
function test.request(name, args) return session.here():request(name, args) end

--- The lines of the runtime's and the providers' log so far.
---@return { level: string, message: string, provider: string?, hook: string?, result: integer? }[]
function test.logs()
  local world = session.here()
  world:settle()
  return world.rt.logs
end

return test
