-- What @NAME@ does, tried against a mock of its API. Run by `orrery provider test`: time is virtual, an hour passes in no time.
local test = require "orrery.test"
local mock, run, everyCrash = test.mock, test.run, test.everyCrash
local fault = mock.fault

describe("@CODE@", function()
  local api, jobs

  -- The system outside, made anew for each test.
  local function outside(fails)
    api = mock.http "https://@CODE@.test"
    jobs = mock.jobs { lasts = 3600, sizeInBytes = 5e9, fails = fails }
    api:on("GET /status", { json = { version = 1 } })
    api:on("POST /jobs", function(request) return { status = 201, json = { id = jobs:start(request.json.key).id } } end)
    api:on("GET /jobs/:id", function(request)
      local job = jobs:find(request.params.id)
      if not job then return { status = 404 } end
      return { json = { state = job.state, percent = job.percent, bytes = job.sizeInBytes, message = fails } }
    end)
    api:on("POST /jobs/:id/cancel", function(request)
      jobs:cancel(request.params.id)
      return { status = 202 }
    end)
    api:on("DELETE /jobs/:id", function(request) return { status = jobs:remove(request.params.id) and 204 or 404 } end)
  end

  local setup = { connection = { serviceUrl = "https://@CODE@.test", serviceToken = "token" }, options = { policy = "weekly" } }

  it("backs up, follows it to its end, and deletes what it made", function()
    outside()
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.equal(5e9, result.sizeInBytes)
    assert.equal("weekly", api:last("POST /jobs").json.policy)
    assert.equal("Bearer token", api:last("POST /jobs").headers.authorization)
    assert.result(result).deleted()
  end)

  it("says why a backup has failed", function()
    outside("the disk is full")
    assert.result(run.backup(setup)).failed("the disk is full")
  end)

  it("asks again where the answer was no answer", function()
    outside()
    api:fault("GET /jobs/:id", fault.status(503), fault.reset())
    assert.result(run.backup(setup)).succeeded()
  end)

  it("starts exactly one job, wherever it dies", function()
    everyCrash(function()
      outside()
      assert.result(run.backup(setup)).succeeded()
    end)
  end)
end)
