-- mock.jobs: an external system's ledger of jobs, which run on the runtime's clock. everyCrash counts in it what was started.
--
-- A job is brought up to date whenever it is looked at; nothing ticks.
local session = require "orrery.session"
local blame = require "orrery.blame"

---A job of the external system.
---@class MockJob
---@field id string
---@field key? string
---@field state "running"|"done"|"failed"|"cancelled"
---@field percent integer
---@field sizeInBytes integer
---@field startDate number (ms since 1970)
---@field endDate? number
---@field message? string
---@field [string] any what jobs:start(key, { ... }) was given

---@class MockJobs
local Ledger = {}
Ledger.__index = Ledger

local known = { lasts = true, sizeInBytes = true, fails = true, prefix = true }

--- A ledger of jobs, which last so many seconds (60) and are that large at their end; `fails`: a message, they end as failed; `prefix` of their ids ("job-").
---@param options? { lasts: number?, sizeInBytes: number?, fails: string?, prefix: string? }
---@return MockJobs
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
---@param key? string
---@param more? table<string, any>
---@return MockJob
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

--- The job of that id, or nil.
---@param id string
---@return MockJob?
function Ledger:find(id)
  for _, job in ipairs(self.jobs) do
    if job.id == id then return upToDate(self, job) end
  end
end

--- The job of that key, or nil.
---@param key string
---@return MockJob?
function Ledger:findKey(key)
  for _, job in ipairs(self.jobs) do
    if job.key == key then return upToDate(self, job) end
  end
end

--- All that are there.
---@return MockJob[]
function Ledger:all()
  local all = {}
  for _, job in ipairs(self.jobs) do table.insert(all, upToDate(self, job)) end
  return all
end

--- Ends one that runs, as cancelled or in another state; the job, or nil if there is none.
---@param id string
---@param state? string
---@return MockJob?
function Ledger:cancel(id, state)
  local job = self:find(id)
  if job and job.state == "running" then job.state, job.endDate = state or "cancelled", self.world:now() end
  return job
end

--- It is not there any more: the job, or nil if there was none.
---@param id string
---@return MockJob?
function Ledger:remove(id)
  for at, job in ipairs(self.jobs) do
    if job.id == id then
      table.insert(self.gone, job)
      return table.remove(self.jobs, at)
    end
  end
end

-- How many are still there, and how many ended as cancelled, removed ones too. For everyCrash.
local function count(ledger)
  local cancelled = 0
  for _, list in ipairs { ledger.jobs, ledger.gone } do
    for _, job in ipairs(list) do cancelled = cancelled + (job.state == "cancelled" and 1 or 0) end
  end
  return #ledger.jobs, cancelled
end

return { new = new, count = count }
