-- One run of `provider test`: which provider the file at hand is about, and the world of the test at hand.
--
--   file starts --> its provider is current
--   test starts --> its function is wrapped: when it returns, the world it made is ended, and what that finds wrong fails the test
--   test ends, or was never started because a before_each failed --> whatever world is left is dropped
--
-- A world is made by the first use of orrery.test (world.lua); before_each counts as the test's.
local raw = require "orrery.raw"
local blame = require "orrery.blame"

local session = { provider = nil, world = nil, context = {} }

--- The world of the test at hand; made at its first use, with `settings` on top of the usual.
function session.here(settings)
  if session.world and settings then blame.raise "test.open comes first in a test: its world is there already" end
  if not session.world then session.world = require("orrery.world").new(settings, session.provider) end
  return session.world
end

--- What the test has left open; only what was opened in it counts.
local function leftOver(before)
  collectgarbage()
  collectgarbage()
  local left = raw.count() - before
  if left > 0 then return ("%d %s opened and not closed"):format(left, left == 1 and "runtime was" or "runtimes were") end
end

local function wrap(element)
  local run, before = element.run, raw.count() - (session.world and 1 or 0)
  element.run = function(...)
    run(...)
    local world = session.world
    session.world = nil
    local wrong = world and world:finish()
    world = nil
    wrong = wrong or leftOver(before)
    if wrong then blame.fail(("%s:%d: %s"):format(element.trace.short_src, element.trace.currentline, wrong)) end
  end
end

local function drop()
  local world = session.world
  session.world = nil
  if world then world:close() end
end

--- Called by the report, which busted loads when it is ready to be subscribed to.
function session.attach(busted)
  local providers = {}
  for _, entry in ipairs(session.context.found or {}) do providers[entry.spec] = entry.provider or false end
  busted.subscribe({ "file", "start" }, function(file)
    session.provider = providers[file.name] or nil
    session.spec = file.name
    return nil, true
  end, { priority = 1 })
  busted.subscribe({ "test", "start" }, function(element)
    session.context.hasRun = true
    wrap(element)
    return nil, true
  end, { priority = 1 })
  busted.subscribe({ "test", "end" }, function()
    drop()
    return nil, true
  end, { priority = 1 })
end

function session.begin(context) session.context = context end

return session
