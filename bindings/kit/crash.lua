-- everyCrash(function() ... end): the scenario once as it is, then once per durable step and once or more per outside call, dying there.
--
--   commit n        the runtime is gone right after its n-th commit
--   call n before   the n-th call of the outside never left
--   call n after    it was processed, its answer never came
--   call n late     it had left, and is processed only shortly before the provider's visibilityDelay has passed
--
-- A fresh runtime opens what had committed, and the scenario goes on in it, as run.* do (run.lua). When all is at rest: as many jobs were
-- started outside as without a death, as many are left there and were cancelled, and every result has ended. A provider that can neither repeat a start nor look it up may leave
-- one to a person instead (unknown_start), and then has started at most as many. With `person = true` so may one whose look-up cannot always tell.
--
-- Invariant: a scenario is the same each time, up to its death: virtual time, a seed, mocks made inside it.
local raw = require "orrery.raw"
local session = require "orrery.session"
local blame = require "orrery.blame"
local run = require "orrery.run"
local story = require "orrery.story"
local World = require "orrery.world"

local REST_DAYS = 60
local SHOWN = 10 -- failing steps that are named
local NEARLY = 0.9 -- of the visibilityDelay
local ROW = 3     -- equal questions at either end of a row that are all tried

local known = { only = true, settings = true, all = true, jobs = true, person = true }

-- ---- the steps ---------------------------------------------------------------------------------------------------

local function label(plan, acts)
  if plan.commit then return ("after commit %d"):format(plan.commit) end
  local name = acts[plan.call].name
  if plan.when == "before" then return ("before call %d (%s) left"):format(plan.call, name) end
  if plan.when == "after" then return ("in call %d (%s was processed, its answer never came)"):format(plan.call, name) end
  return ("in call %d (%s had left, and was processed %d s later)"):format(plan.call, name, plan.delay / 1000)
end

local function word(plan) return plan.commit and "commit " .. plan.commit or ("call %d %s"):format(plan.call, plan.when) end

--- Which calls are tried. A hundred times the same question in a row is one question: of such a row the first, the middle and the last.
local function tried(base, all)
  local is, acts, first = {}, base.acts, 1
  for n = 1, #acts do
    is[n] = true
    if n == #acts or acts[n + 1].name ~= acts[n].name or not acts[n].isSafe then
      local middle = math.floor((first + n) / 2)
      for i = first + ROW, n - ROW do is[i] = all or i == middle end
      first = n + 1
    end
  end
  return is
end

local function steps(base, all)
  local plans, is = {}, tried(base, all)
  for n = 1, base.commits do
    if is[base.commitCalls[n]] ~= false then table.insert(plans, { commit = n }) end
  end
  for n, act in ipairs(base.acts) do
    if is[n] then
      table.insert(plans, { call = n, when = "before" })
      table.insert(plans, { call = n, when = "after" })
      if not act.isSafe and base.delay > 0 then table.insert(plans, { call = n, when = "late", delay = base.delay * 1000 * NEARLY }) end
    end
  end
  return plans
end

local function chosen(plans, only)
  if not only then return plans end
  for _, plan in ipairs(plans) do
    if word(plan) == only then return { plan } end
  end
  blame.raise("everyCrash: there is no step '%s': a step is \"commit N\" or \"call N before\", \"after\" or \"late\"", only)
end

local function jobs(count) return count == 1 and "1 external job" or count .. " external jobs" end

local function are(count) return count == 1 and "is" or "are" end

-- ---- one run -----------------------------------------------------------------------------------------------------

--- What the provider says of repeating a start.
local function declared(world)
  local code = world.used
  if not code then blame.raise "everyCrash: nothing was run in it" end
  local facts = world:request("provider.show", { provider = code }) or {}
  local hooks = {}
  for _, hook in ipairs(facts.hooks or {}) do hooks[hook] = true end
  return { repeats = facts.idempotent or hooks.recoverBackupResult or false, repeatsCreation = facts.idempotent or hooks.recoverBackup or false,
           delay = facts.visibilityDelay or 0 }
end

local function play(scenario, settings, plan)
  local world = World.new(settings, session.provider)
  session.world, world.plan = world, plan and setmetatable({}, { __index = plan })
  local ok, raised = pcall(scenario)
  if session.world ~= world then error("everyCrash: what is outside is made inside its function, once", 0) end
  return world, ok, raised
end

--- Everything that is left going comes to rest; then it is looked at.
local function look(world)
  local results, drafts = run.all(world, REST_DAYS)
  local left, cancelled = world:remaining()
  return { results = results, drafts = drafts, started = world:started(), left = left, cancelled = cancelled }
end

local function close(world)
  local wrong = world:finish()
  session.world = nil
  return wrong
end

local function baseline(scenario, settings, wanted)
  local world, ok, raised = play(scenario, settings)
  if not ok then
    close(world)
    error(raised, 0)
  end
  world:settle()
  local commits, acts = raw.commits(world.rt.handle), { unpack(world.acts) }
  local base = declared(world)
  base.commits, base.acts, base.commitCalls = commits, acts, world.commitCalls
  local seen = look(world)
  base.started, base.left, base.cancelled = seen.started, seen.left, seen.cancelled
  local results = world:results()
  local wrong = close(world)
  if base.started > 0 and base.started ~= (wanted or results) then
    wrong = wrong or ("%s of %d results (if that is meant: everyCrash({ jobs = %d }, ...))"):format(jobs(base.started), results, base.started)
  end
  if wrong then blame.fail(blame.where() .. ": everyCrash: without a death: " .. wrong) end
  if base.started == 0 then blame.raise "everyCrash: nothing says what a start is: use mock.jobs, or :starts() on the route that starts" end
  return base
end

-- ---- the verdict -------------------------------------------------------------------------------------------------

--- The results that are not as they must be: a line, or nil.
local function unwell(seen, base)
  for _, result in ipairs(seen.results) do
    local isTold = result.attention == "unknown_start" and (base.person or not base.repeats)
    if result.attention and not isTold then return ("result %d needs attention (%s), which nobody has to give it"):format(result.id, result.attention) end
    if not result.attention and not result.endDate then return ("result %d never ended: it is %s after %d days"):format(result.id, result.status, REST_DAYS) end
  end
  if #seen.drafts > 0 and base.repeatsCreation then return ("the creation of '%s' waits for a person"):format(seen.drafts[1].name) end
end

--- What else was done outside, or was not. Where a start is left to a person, so is what follows it.
local function undone(seen, base)
  for _, result in ipairs(seen.results) do if result.attention then return nil end end
  if seen.left ~= base.left then
    return ("%s %s left at the end, where a run without a death leaves %d"):format(jobs(seen.left), are(seen.left), base.left)
  end
  if seen.cancelled ~= base.cancelled then
    return ("%s ended as cancelled, where a run without a death has %d"):format(jobs(seen.cancelled), base.cancelled)
  end
end

--- What is wrong with a run that died, or nil.
local function judge(world, ok, raised, seen, base)
  if world.died == 0 then return "it did not die there: the scenario is not the same each time (chance, or real time in it?)" end
  local isLeft = raised == run.attention
  if not ok and not isLeft then return blame.text(raised) end
  local problem = unwell(seen, base)
  if problem then return problem end
  if isLeft and seen.started > base.started or not isLeft and seen.started ~= base.started then
    return ("%s where a run without a death starts %d"):format(jobs(seen.started), base.started)
  end
  return not isLeft and undone(seen, base) or nil
end

--- In which hook it died, as the journal had it then: a failing step is played again for this.
local function where(scenario, settings, plan)
  local text
  local function ask(world, name, args)
    world.rt:settle()
    return world.rt:request(name, args)
  end
  local copy = setmetatable({ onDeath = function(world)
    world.plan = nil
    local rows = ask(world, "result.ls") or {}
    local result = rows[1] and ask(world, "result.show", { result = tostring(rows[1].id), journal = true })
    local op = result and result.ops[#result.ops]
    if op then text = ("%s: %s"):format(op.hook, op.state == "done" and op.outcome or op.state) end
  end }, { __index = plan })
  local world = play(scenario, settings, copy)
  close(world)
  return text
end

local function report(failures, base, plans)
  local first = failures[1]
  local lines = { ("%s: everyCrash: died %s: %s"):format(blame.where(), first.label, first.problem), first.journal }
  table.insert(lines, ("  again: everyCrash({ only = %q }, function() ... end)"):format(word(first.plan)))
  for i = 2, math.min(#failures, SHOWN) do table.insert(lines, ("  also: died %s: %s"):format(failures[i].label, (failures[i].problem:gsub("\n.*", "")))) end
  table.insert(lines, ("  %d of %d deaths went wrong"):format(#failures, #plans))
  blame.fail(table.concat(lines, "\n"))
end

--- The scenario once as it is, then once for each of its steps, dying there. `only`: one step, as a failure prints it; `jobs`: how many the scenario starts
--- outside, where that is not one per result; `person`: a start may be left to a person; `all`: of a long row of equal questions every one.
---@param options { only: string?, jobs: integer?, person: boolean?, settings: table?, all: boolean? }
---@param scenario fun() makes what is outside, and runs
---@return { commits: integer, calls: integer, runs: integer, started: integer }
---@overload fun(scenario: fun()): { commits: integer, calls: integer, runs: integer, started: integer }
return function(options, scenario)
  if type(options) == "function" then options, scenario = {}, options end
  blame.check("everyCrash", options or {}, known)
  if type(scenario) ~= "function" then blame.raise "everyCrash takes a function" end
  if session.world then blame.raise "everyCrash: what is outside is made inside its function; this test has made something before it" end
  local base = baseline(scenario, options.settings, options.jobs)
  base.person = options.person
  local plans, failures = chosen(steps(base, options.all or options.only), options.only), {}
  for _, plan in ipairs(plans) do
    local world, ok, raised = play(scenario, options.settings, plan)
    local seen = look(world)
    local problem = judge(world, ok, raised, seen, base)
    local journal = problem and (world.last and story.journal(world.last) or "  no result was met") .. "\n" .. story.outside(world)
    problem = close(world) or problem
    if problem then table.insert(failures, { plan = plan, problem = problem, journal = journal or "", label = label(plan, base.acts) }) end
  end
  if #failures > 0 then
    local first = failures[1]
    local op = first.plan.commit and where(scenario, options.settings, first.plan)
    if op then first.label = ("%s (%s)"):format(first.label, op) end
    report(failures, base, plans)
  end
  return { commits = base.commits, calls = #base.acts, runs = #plans + 1, started = base.started }
end
