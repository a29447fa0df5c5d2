-- digitalocean against a mock of its API: what the simulators of tests/sim cannot do, which is to die at every single step.
local test = require "orrery.test"
local mock, run, everyCrash = test.mock, test.run, test.everyCrash
local fault = mock.fault

local URL = "https://api.digitalocean.test"
local setup = { connection = { serviceUrl = URL, serviceToken = "dop_v1_secret" }, options = { dropletId = "3164444" } }

describe("digitalocean", function()
  local api, jobs

  local function action(job)
    return { id = tonumber(job.id), type = "snapshot", status = ({ running = "in-progress", done = "completed", failed = "errored" })[job.state], resource_id = 3164444 }
  end

  -- more: options of mock.jobs, and per = rows of a page, listsActions = false, url = where it is
  local function outside(more)
    more = more or {}
    local per, listsActions = more.per or 200, more.listsActions ~= false
    jobs = mock.jobs { lasts = more.lasts or 150, fails = more.fails, prefix = "36804" }
    api = mock.http(more.url or URL)
    local function page(request, key, rows)
      local number, part = tonumber(request.query.page), {}
      for i = (number - 1) * per + 1, math.min(number * per, #rows) do part[#part + 1] = rows[i] end
      local links = number * per < #rows and { pages = { next = URL .. request.path .. "?page=" .. number + 1 .. "&per_page=" .. per } } or mock.object()
      return { json = { [key] = part, links = links, meta = { total = #rows } } }
    end
    api:on("GET /v2/regions", function(request)
      if request.headers.authorization ~= "Bearer dop_v1_secret" then return { status = 401, json = { id = "Unauthorized", message = "Unable to authenticate you" } } end
      return { json = { regions = {} } }
    end)
    api:on("POST /v2/droplets/3164444/actions", function(request) return { status = 201, json = { action = action(jobs:start(nil, { name = request.json.name })) } } end)
    api:on("GET /v2/droplets/3164444/actions", function(request)
      if not listsActions then return { status = 404, json = { id = "not_found", message = "no such resource" } } end
      local rows = {}
      for i, job in ipairs(jobs:all()) do rows[i] = action(job) end
      return page(request, "actions", rows)
    end)
    api:on("GET /v2/actions/:id", function(request)
      local job = jobs:find(request.params.id)
      return job and { json = { action = action(job) } } or { status = 404, json = { id = "not_found", message = "no such action" } }
    end)
    api:on("GET /v2/droplets/3164444/snapshots", function(request)
      local rows = { { id = "1", name = "other", size_gigabytes = 1 }, { id = "2", name = "another", size_gigabytes = 1 } }
      for _, job in ipairs(jobs:all()) do
        if job.state == "done" then rows[#rows + 1] = { id = "snap-" .. job.id, name = job.name, size_gigabytes = 2.36 } end
      end
      return page(request, "snapshots", rows)
    end)
    api:on("DELETE /v2/snapshots/:id", function(request) return { status = jobs:remove((request.params.id:gsub("^snap%-", ""))) and 204 or 404 } end)
  end

  it("starts a snapshot, and finds what it made by name", function()
    outside()
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.equal("orrery-" .. result.uuid, api:last("POST /v2/droplets/3164444/actions").json.name)
    assert.same({ "snap-368041", 2360000000 }, { result.snapshotId, result.sizeInBytes })
    assert.result(result).deleted()
  end)

  it("takes the Droplet of the server", function()
    outside()
    assert.result(run.backup { connection = setup.connection, server = { name = "web1", externalId = "3164444" } }).succeeded()
    assert.result(run.backup { name = "other", connection = setup.connection }).failed("which Droplet?")
  end)

  it("finds it on the third page", function()
    outside { per = 1 }
    assert.result(run.backup(setup)).succeeded()
    assert.equal("3", api:last("GET /v2/droplets/3164444/snapshots").query.page)
  end)

  it("says what DigitalOcean says", function()
    outside()
    api:fault("POST /v2/droplets/3164444/actions", fault.status(422, { json = { id = "unprocessable_entity", message = "Droplet already has a pending event." } }))
    assert.result(run.backup(setup)).failed("422: Droplet already has a pending event.")
  end)

  it("fails where the action does", function()
    outside { fails = "x" }
    assert.result(run.backup(setup)).failed("the action 368041 errored")
  end)

  it("waits as long as the rate limit asks, and starts once", function()
    outside()
    api:fault("POST /v2/droplets/3164444/actions", fault.tooMany(120), fault.status(429))
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.equal(280, result.took)
    assert.equal(1, #jobs:all() + 1) -- it was deleted afterwards
  end)

  it("does not cancel, and says so", function()
    outside()
    local backup = run.create(setup)
    local result = backup:run()
    local ok, err = result:cancel()
    assert.is_nil(ok)
    assert.matches("cannot cancel", err.message)
    assert.result(result:wait()).succeeded()
  end)

  it("needs nothing that an answer may leave out", function()
    outside()
    local polls = 0
    api:on("POST /v2/droplets/3164444/actions", function(request)
      jobs:start(nil, { name = request.json.name })
      return { status = 201, json = { action = { id = "a-1" } } }
    end)
    api:on("GET /v2/actions/:id", function()
      polls = polls + 1
      return { json = { action = { status = polls < 4 and "in-progress" or "completed" } } }
    end)
    api:on("GET /v2/droplets/3164444/snapshots", function() return { json = { snapshots = { { id = 7, name = jobs:all()[1].name } } } } end)
    api:on("DELETE /v2/snapshots/7", 204)
    local result = run.backup { connection = { serviceUrl = URL .. "/v2/", serviceToken = "t" }, options = setup.options }
    assert.result(result).succeeded()
    assert.same({ "a-1", "7" }, { result.externalId, result.snapshotId })
  end)

  for _, hours in ipairs { -2, 2 } do
    it("keeps to our clock where theirs is " .. hours .. " hours off", function()
      local function theirs(ms) return ms and os.date("!%Y-%m-%dT%H:%M:%SZ", ms / 1000 + hours * 3600) end
      outside()
      api:on("GET /v2/actions/:id", function(request)
        local job = jobs:find(request.params.id)
        local said = action(job)
        said.started_at, said.completed_at = theirs(job.startDate), theirs(job.endDate)
        return { json = { action = said } }
      end)
      local begun = test.clock:now()
      local result = run.backup(setup)
      assert.result(result).succeeded()
      assert.equal(150000, result.durationMillis)
      assert.is_true(result.startDate >= begun and result.endDate <= test.clock:now())
    end)
  end

  it("deletes what is made but not listed yet", function()
    outside()
    local result = run.create(setup):run()
    local lost, unlisted = fault.status(404), fault.status(200, { json = { snapshots = {} } })
    api:fault("GET /v2/actions/:id", lost, lost, lost)
    api:fault("GET /v2/droplets/3164444/snapshots", unlisted, unlisted, unlisted, unlisted)
    test.clock:advance(200)
    assert.result(result:wait()).needsAttention("lost_external")
    result:delete()
    assert.equal(0, #jobs:all())
  end)

  it("does not start another one where what it made is not listed yet", function()
    outside { lasts = 10 }
    local unlisted = {}
    for i = 1, 6 do unlisted[i] = fault.status(200, { json = { snapshots = {} } }) end
    api:fault("GET /v2/droplets/3164444/snapshots", unpack(unlisted))
    api:fault("POST /v2/droplets/3164444/actions", fault.reset { processed = true })
    local result = run.create(setup):run():wait()
    assert.result(result).succeeded()
    assert.is_nil(result.statusMessage)
    assert.equal(1, #jobs:all())
  end)

  it("does not delete to nothing what was made and is never listed", function()
    outside()
    api:on("GET /v2/droplets/3164444/snapshots", { json = { snapshots = {} } })
    local result = run.create(setup):run():wait()
    assert.result(result).needsAttention("refresh_failing")
    local ok, err = result:delete()
    assert.is_nil(ok)
    assert.matches("does not list it", err.message)
  end)

  it("takes an action that errored for the start that nobody answered for, and starts no other", function()
    outside { lasts = 10, fails = "x" }
    api:fault("POST /v2/droplets/3164444/actions", fault.reset { processed = true })
    assert.result(run.create(setup):run():wait()).failed("the action 368041 errored")
    assert.equal(1, #jobs:all())
  end)

  it("does not take an action that errored before for its own", function()
    outside { lasts = 10, fails = "x" }
    jobs:start(nil, { name = "other" })
    test.clock:advance(60)
    jobs.fails = nil
    api:fault("POST /v2/droplets/3164444/actions", fault.reset())
    local result = run.create(setup):run():wait()
    assert.equal(2, #jobs:all())
    assert.equal("368042", result.externalId)
  end)

  it("starts nothing anew where a list is shorter than it says", function()
    outside { lasts = 10 }
    local cut = { json = { actions = {}, snapshots = {}, meta = { total = 5 } } }
    api:fault("POST /v2/droplets/3164444/actions", fault.reset { processed = true })
    local result = run.create(setup):run()
    api:on("GET /v2/droplets/3164444/actions", cut)
    api:on("GET /v2/droplets/3164444/snapshots", cut)
    assert.result(result:wait()).needsAttention("unknown_start")
    assert.matches("lists 0 of 5 snapshots", result.statusMessage)
    assert.equal(1, #jobs:all())
  end)

  it("starts all the same where the list of actions before has no end", function()
    outside()
    api:on("GET /v2/droplets/3164444/actions", { json = { actions = {}, links = { pages = { next = "?per_page=200&page=1" } } } })
    assert.result(run.backup(setup)).succeeded()
  end)

  it("does not ask how it is going before the rate limit lets it", function()
    outside()
    local result = run.create(setup):run()
    api:fault("GET /v2/actions/:id", fault.tooMany(1000))
    assert.result(result:wait()).succeeded()
    local first, second = nil, nil
    for _, request in ipairs(api.requests) do
      if request.path == "/v2/actions/368041" then first, second = first or request, first and (second or request) end
    end
    assert.is_true(second.at - first.at >= 1000000)
  end)

  it("is not taken in by something else that answers", function()
    outside()
    assert.is_truthy(run.testConnection(setup.connection))
    api:on("GET /v2/regions", { body = "<html>welcome</html>" })
    local ok, err = run.testConnection(setup.connection)
    assert.is_nil(ok)
    assert.matches("answered 200: what makes no sense", err.message)
  end)

  it("goes to the host of the connection", function()
    outside { url = "https://proxy.test:8443" }
    assert.result(run.backup { connection = { host = "proxy.test", port = 8443, serviceToken = "dop_v1_secret" }, options = setup.options }).succeeded()
  end)

  it("goes nowhere where the connection names two places", function()
    local backup, err = run.create { connection = { serviceUrl = URL, host = "proxy.test", serviceToken = "dop_v1_secret" }, options = setup.options }
    assert.is_nil(backup)
    assert.matches("the address https://api.digitalocean.test and the host proxy.test: give it one of them", err.message)
  end)

  it("starts exactly one snapshot, wherever it dies", function()
    everyCrash(function()
      outside()
      assert.result(run.backup(setup)).succeeded()
    end)
  end)

  it("leaves a start that nobody heard of to a person where the API lists no actions, and never doubles one", function()
    everyCrash({ person = true }, function()
      outside { listsActions = false }
      assert.result(run.backup(setup)).succeeded()
    end)
  end)
end)
