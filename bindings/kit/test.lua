-- require "orrery.test": what a provider's spec uses. docs/testing.md describes every function.
local session = require "orrery.session"
local blame = require "orrery.blame"
local json = require "orrery.json"

require "orrery.assertions"

local test = { run = require "orrery.run", everyCrash = require "orrery.crash", clock = {} }

test.mock = {
  http = require("orrery.mock_http").new, process = require("orrery.mock_process").new, jobs = require("orrery.jobs").new,
  cassette = require("orrery.cassette").new,
  fault = require "orrery.fault", null = json.null,
  --- An empty table as a JSON object; without it an empty one is a list.
  object = json.object,
}

-- ---- clock -------------------------------------------------------------------------------------------------------

local clock = test.clock

--- Moves time on by so many seconds, and does all that becomes due on the way.
function clock:advance(seconds)
  if type(seconds) ~= "number" or seconds < 0 then blame.raise "clock:advance takes seconds, and a colon" end
  session.here():advance(seconds)
end

--- The runtime's time: milliseconds since 1970.
function clock:now() return session.here():now() end

--- Lets what is going on come to rest; time stands still.
function clock:settle() session.here():settle() end

-- ---- the world ---------------------------------------------------------------------------------------------------

--- First in a test, where settings other than the usual are wanted (docs of `orrery help serve` have them).
function test.open(settings) session.here(settings or {}) end

--- Adds a provider from text, under its code: true, or nil and the error.
function test.provider(code, source)
  local world = session.here()
  return world.rt:source(code, source)
end

--- Asks the runtime anything of docs/requests.md: its data, or nil and the error.
function test.request(name, args) return session.here():request(name, args) end

--- The lines of the runtime's and the providers' log so far: { level, message, provider, hook, result }.
function test.logs()
  local world = session.here()
  world:settle()
  return world.rt.logs
end

return test
