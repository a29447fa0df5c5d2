-- mock.jobs: an external system's ledger of jobs, which run on the runtime's clock. everyCrash counts in it what was started.
--
-- A job is brought up to date whenever it is looked at; nothing ticks.
local session = require "orrery.session"
local blame = require "orrery.blame"

local Ledger = {}
Ledger.__index = Ledger

local known = { lasts = true, sizeInBytes = true, fails = true, prefix = true }

--- options: lasts (seconds, 60), sizeInBytes (at the end), fails (a message: they end as failed), prefix (of ids, "job-")
local function new(options)
  options = blame.check("mock.jobs", options or {}, known)
  local world = session.here()
  local self = setmetatable({ world = world, options = options, jobs = {}, gone = {}, started = 0 }, Ledger)
  table.insert(world.ledgers, self)
  return self
end

local function upToDate(self, job)
  if job.state ~= "running" or not self.world then return job end
  local lasts = job.lasts * 1000
  local part = lasts > 0 and math.min((self.world:now() - job.startDate) / lasts, 1) or 1
  job.percent = math.floor(part * 100)
  job.sizeInBytes = math.floor(part * (self.options.sizeInBytes or 0))
  if part < 1 then return job end
  job.endDate = job.startDate + lasts
  job.state = job.fails and "failed" or "done"
  job.message = job.fails
  return job
end

--- Starts one; with a key that is known already, that one is found and nothing is started.
function Ledger:start(key, more)
  local known_ = key ~= nil and self:findKey(key)
  if known_ then return known_ end
  self.started = self.started + 1
  local job = { id = (self.options.prefix or "job-") .. self.started, key = key, state = "running", startDate = self.world:now(), percent = 0,
                sizeInBytes = 0, lasts = self.options.lasts or 60, fails = self.options.fails }
  for name, value in pairs(more or {}) do job[name] = value end
  table.insert(self.jobs, job)
  return upToDate(self, job)
end

function Ledger:find(id)
  for _, job in ipairs(self.jobs) do
    if job.id == id then return upToDate(self, job) end
  end
end

function Ledger:findKey(key)
  for _, job in ipairs(self.jobs) do
    if job.key == key then return upToDate(self, job) end
  end
end

function Ledger:all()
  local all = {}
  for _, job in ipairs(self.jobs) do table.insert(all, upToDate(self, job)) end
  return all
end

--- Ends one that runs, as cancelled or in another state; the job, or nil if there is none.
function Ledger:cancel(id, state)
  local job = self:find(id)
  if job and job.state == "running" then job.state, job.endDate = state or "cancelled", self.world:now() end
  return job
end

--- It is not there any more: the job, or nil if there was none.
function Ledger:remove(id)
  for at, job in ipairs(self.jobs) do
    if job.id == id then
      table.insert(self.gone, job)
      return table.remove(self.jobs, at)
    end
  end
end

return { new = new }
