-- rubrik-vmware against a mock of its API: sessions, lists, policies, and a death at every single step.
local test = require "orrery.test"
local mock, run, everyCrash = test.mock, test.run, test.everyCrash
local fault = mock.fault

local URL = "https://rubrik.test"
local VM = "VirtualMachine:::7d2b-vm-123"
local setup = { connection = { serviceUrl = URL, username = "admin", password = "Rubrik!23" }, options = { vm = "vm-123" } }

describe("rubrik-vmware", function()
  local api, jobs, open, most, assigned

  local function count(map)
    local n = 0
    for _ in pairs(map) do n = n + 1 end
    return n
  end

  local function iso(ms) return os.date("!%Y-%m-%dT%H:%M:%S.000Z", math.floor(ms / 1000)) end
  local function list(rows) return { json = { hasMore = false, total = #rows, data = rows } } end

  local function requestOf(job)
    local links = { { rel = "self", href = "https://h/api/v1/vmware/vm/request/" .. job.id } }
    if job.state == "done" then links[2] = { rel = "result", href = "https://h/api/v1/vmware/vm/snapshot/snap-" .. job.number } end
    return { id = job.id, status = ({ running = "RUNNING", done = "SUCCEEDED", failed = "FAILED", cancelled = "CANCELED" })[job.state], startTime = iso(job.startDate), links = links,
             error = job.message and { message = '{"message":"The snapshot failed","cause":{"reason":"' .. job.message .. '"}}' } or nil }
  end

  local function sessions()
    api:on("POST /api/v1/session", function(request)
      if request.headers.authorization ~= "Basic YWRtaW46UnVicmlrITIz" then return { status = 401, json = { message = "Incorrect Username/Password" } } end
      local token = "token-" .. request.number
      open[token], most = "session-" .. request.number, math.max(most, count(open) + 1)
      return { json = { id = open[token], token = token, sessionId = open[token] } }
    end)
    api:on("DELETE /api/v1/session/:id", function(request)
      for token, id in pairs(open) do
        if id == request.params.id then open[token] = nil end
      end
      return 204
    end)
  end

  -- A route for those that are logged in.
  local function on(route, reply)
    api:on(route, function(request)
      if not open[(request.headers.authorization or ""):match("^Bearer (.+)")] then return { status = 401, json = { message = "Invalid token" } } end
      return type(reply) == "function" and reply(request) or reply
    end)
  end

  -- more: options of mock.jobs, and events = false, cancels = false
  local function outside(more)
    more = more or {}
    open, most, assigned = {}, 0, "INHERIT"
    jobs = mock.jobs { lasts = 150, fails = more.fails, prefix = "CREATE_VMWARE_SNAPSHOT_1234:::" }
    api = mock.http(URL)
    sessions()
    on("GET /api/v1/host", list {})
    on("GET /api/v1/sla_domain", list { { id = "sla-gold", name = "Gold" }, { id = "sla-silver", name = "Silver" } })
    on("GET /api/v1/vmware/vm", list { { id = VM, moid = "vm-123", name = "web" } })
    on("GET /api/v1/vmware/vm/:id", { json = { id = VM } })
    on("PATCH /api/v1/vmware/vm/:id", function(request)
      assigned = request.json.configuredSlaDomainId
      return { json = { id = VM, configuredSlaDomainId = assigned } }
    end)
    on("POST /api/v1/vmware/vm/:id/snapshot", function()
      local job = jobs:start()
      job.number = job.id:match("%d+$")
      return { status = 202, json = requestOf(job) }
    end)
    on("GET /api/v1/vmware/vm/:id/snapshot", function()
      local rows = {}
      for i, job in ipairs(jobs:all()) do rows[i] = job.state == "done" and { id = "snap-" .. job.number, date = iso(job.endDate), isOnDemandSnapshot = true } or nil end
      return list(rows)
    end)
    on("GET /api/v1/vmware/vm/request/:id", function(request)
      local job = jobs:find(request.params.id)
      return job and { json = requestOf(job) } or { status = 404, json = { message = "no such request" } }
    end)
    on("DELETE /api/v1/vmware/vm/request/:id", function(request)
      if more.cancels == false then return { status = 405, json = { message = "method not allowed" } } end
      jobs:cancel(request.params.id)
      return 204
    end)
    on("DELETE /api/v1/vmware/vm/snapshot/:id", function(request)
      return { status = jobs:remove("CREATE_VMWARE_SNAPSHOT_1234:::" .. request.params.id:match("%d+$")) and 204 or 404 }
    end)
    on("GET /api/v1/event/latest", function()
      if more.events == false then return { status = 404, json = { message = "no such resource" } } end
      local rows = {}
      for i, job in ipairs(jobs:all()) do rows[i] = { latestEvent = { jobInstanceId = job.id, time = iso(job.startDate) } } end
      return list(rows)
    end)
  end

  it("makes a snapshot, and deletes it everywhere", function()
    outside()
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.same({ "CREATE_VMWARE_SNAPSHOT_1234:::1", "snap-1" }, { result.externalId, result.snapshotId })
    assert.equal("", api:last("POST /api/v1/vmware/vm/:id/snapshot").body or "")
    assert.result(result).deleted()
    assert.equal("all", api:last("DELETE /api/v1/vmware/vm/snapshot/:id").query.location)
    assert.same({ 1, 1 }, { api:count "POST /api/v1/session", most })
  end)

  it("logs in once more where its session has gone, and leaves none behind", function()
    outside()
    local result = run.create(setup):run()
    open = {}
    assert.result(result:wait()).succeeded()
    assert.same({ 2, 1, 1 }, { api:count "POST /api/v1/session", most, count(open) })
  end)

  it("is FAILED, for certain, where its session has gone and the login is refused", function()
    outside()
    local backup = run.create(setup)
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.unauthorized())
    on("GET /api/v1/vmware/vm/:id/snapshot", function()
      api:fault("POST /api/v1/session", fault.status(401, { json = { message = "the password has expired" } }))
      return list {}
    end)
    assert.result(backup:run():wait()).failed("the login was refused: Rubrik answered 401: the password has expired")
    assert.equal(0, #jobs:all())
  end)

  it("takes the VM of the server, and tells what was there before from what it made", function()
    outside { events = false }
    local old = jobs:start()
    old.number = "1"
    test.clock:advance(200)
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout { processed = true })
    local result = run.backup { connection = setup.connection, server = { name = "web", externalId = "vm-123" } }
    assert.result(result).succeeded()
    assert.equal("snap-2", result.snapshotId)
  end)

  it("does not log in with a token", function()
    outside()
    open["service-token"] = "forever"
    assert.result(run.backup { connection = { serviceUrl = URL .. "/api/v1", serviceToken = "service-token" }, options = setup.options }).succeeded()
    assert.equal(0, api:count "POST /api/v1/session")
  end)

  it("says what Rubrik says, and why", function()
    outside { fails = "no space left" }
    assert.result(run.backup(setup)).failed("The snapshot failed: no space left")
  end)

  it("assigns an SLA domain by name, changes it, and takes it away", function()
    outside()
    local backup = run.create { connection = setup.connection, options = { vm = "vm-123", slaDomain = "Gold" } }
    assert.equal("sla-gold", assigned)
    assert(backup:update { options = { slaDomain = "sla-silver" } })
    assert.equal("sla-silver", assigned)
    assert(backup:delete())
    assert.equal("INHERIT", assigned)
    local _, err = run.create { name = "other", connection = setup.connection, options = { vm = "vm-123", slaDomain = "Lead" } }
    assert.matches("no SLA domain 'Lead'", err.message)
  end)

  it("cancels where Rubrik can, and else says that it cannot", function()
    outside()
    local result = run.create(setup):run()
    assert(result:cancel())
    assert.result(result:wait()).cancelled()
  end)

  it("goes on where an older Rubrik cannot cancel", function()
    outside { cancels = false }
    local result = run.create(setup):run()
    local _, err = result:cancel()
    assert.matches("does not cancel", err.message)
    assert.result(result:wait()).succeeded()
  end)

  it("ends a list that goes on without saying where", function()
    outside()
    on("GET /api/v1/vmware/vm", { json = { hasMore = true, total = 9, data = { { id = "x", moid = "y" } } } })
    local _, err = run.create(setup)
    assert.matches("goes on, and not where", err.message)
    assert.equal(1, api:count "GET /api/v1/vmware/vm")
  end)

  it("goes on with the request that an event tells of", function()
    outside()
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout { processed = true })
    local result = run.create(setup):run()
    test.clock:advance(100) -- it is running still
    assert.equal("CREATE_VMWARE_SNAPSHOT_1234:::1", result:show().externalId)
    assert.result(result:wait()).succeeded()
    assert.equal("snap-1", result.snapshotId)
  end)

  it("needs nothing that an answer may leave out", function()
    outside { events = false }
    api:on("POST /api/v1/session", function()
      open.token = "session"
      return { json = { token = "token" } }
    end)
    on("GET /api/v1/vmware/vm", { json = { data = { { id = VM } } } })
    on("POST /api/v1/vmware/vm/:id/snapshot", function() return { status = 202, json = { id = jobs:start(nil, { number = "1" }).id } } end)
    on("GET /api/v1/vmware/vm/request/:id", function(request) return { json = { status = jobs:find(request.params.id).state == "done" and "SUCCEEDED" or "RUNNING" } } end)
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.equal("snap-1", result.snapshotId)
  end)

  it("looks again for a snapshot that no link tells and no list has yet", function()
    outside()
    on("GET /api/v1/vmware/vm/request/:id", function(request)
      local said = requestOf(jobs:find(request.params.id))
      said.links = nil
      return { json = said }
    end)
    local result = run.create(setup):run()
    api:fault("GET /api/v1/vmware/vm/:id/snapshot", fault.status(200, list {}), fault.status(200, list {}))
    assert.result(result:wait()).succeeded()
    assert.matches("^snap%-", result:show().snapshotId)
  end)

  for _, hours in ipairs { -2, 2 } do
    it("keeps to our clock where theirs is " .. hours .. " hours off", function()
      local function theirs(ms) return ms and iso(ms + hours * 3600000) end
      outside()
      on("GET /api/v1/vmware/vm/request/:id", function(request)
        local job = jobs:find(request.params.id)
        local said = requestOf(job)
        said.startTime, said.endTime = theirs(job.startDate), theirs(job.endDate)
        return { json = said }
      end)
      local begun = test.clock:now()
      local result = run.backup(setup)
      assert.result(result).succeeded()
      assert.equal(150000, result.durationMillis)
      assert.is_true(result.startDate >= begun and result.endDate <= test.clock:now())
    end)
  end

  it("takes its address with and without the path of the API", function()
    outside()
    for _, path in ipairs { "", "/", "/api", "/api/v1", "/api/v1/" } do
      assert.truthy(run.testConnection { serviceUrl = URL .. path, username = "admin", password = "Rubrik!23" })
    end
  end)

  it("takes no other snapshot for its own", function()
    outside { events = false }
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout { processed = true })
    local result = run.create(setup):run()
    local other = jobs:start()
    other.number = "2"
    assert.result(result:wait()).needsAttention("unknown_start")
  end)

  -- A snapshot of the VM that somebody else asks for.
  local function anothers(more)
    local job = jobs:start(nil, more)
    job.number = job.id:match("%d+$")
    return job
  end

  it("takes no snapshot for its own as long as two requests may be it", function()
    outside()
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout { processed = true })
    local result = run.create(setup):run()
    anothers().state = "done" -- before ours
    on("GET /api/v1/vmware/vm/:id/snapshot", list { { id = "snap-2", date = iso(test.clock:now()), isOnDemandSnapshot = true } })
    assert.result(result:wait()).needsAttention("unknown_start")
  end)

  it("does not guess by snapshots while the events do not answer", function()
    outside()
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout { processed = true })
    local result = run.create(setup):run()
    on("GET /api/v1/event/latest", 500)
    on("GET /api/v1/vmware/vm/:id/snapshot", list { { id = "snap-other", date = iso(test.clock:now()), isOnDemandSnapshot = true } })
    assert.result(result:wait()).needsAttention("unknown_start")
  end)

  it("does not start before it knows what was there", function()
    outside()
    local old = anothers()
    test.clock:advance(200)
    api:fault("GET /api/v1/event/latest", fault.status(500))
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout())
    local result = run.create(setup):run()
    assert.result(result:wait()).needsAttention("unknown_start")
    assert.not_equal(old.id, result.externalId)
  end)

  it("takes for its own nothing that began long after its start was lost", function()
    outside()
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout())
    local result = run.create(setup):run()
    test.clock:advance(1800)
    anothers()
    assert.result(result:wait()).needsAttention("unknown_start")
    assert.is_nil(result.externalId)
  end)

  it("finds its start by events of this VM only, on all pages, however far off the clock is", function()
    outside()
    local other = anothers()
    other.startDate = test.clock:now() + 7200000
    api:fault("POST /api/v1/vmware/vm/:id/snapshot", fault.timeout { processed = true })
    on("GET /api/v1/event/latest", function(request)
      local rows = { { latestEvent = { jobInstanceId = other.id, objectId = "VirtualMachine:::another", eventType = "Backup" } } }
      for i, job in ipairs(jobs:all()) do
        if i > 1 then rows[#rows + 1], job.startDate = { latestEvent = { jobInstanceId = job.id, objectId = VM, eventType = "Backup" } }, test.clock:now() + 7200000 end
      end
      local first = tonumber(request.query.offset) or 0
      if request.query.object_ids ~= VM then return { status = 422, json = { message = "whose?" } } end
      return { json = { data = { rows[first + 1] }, hasMore = first + 1 < #rows, links = { next = { href = "/event/latest?offset=" .. first + 1 } } } }
    end)
    local result = run.create(setup):run()
    test.clock:advance(60)
    assert.equal("CREATE_VMWARE_SNAPSHOT_1234:::2", result:show().externalId)
  end)

  it("counts a snapshot once that a list has twice", function()
    outside()
    on("GET /api/v1/vmware/vm/request/:id", function(request)
      local said = requestOf(jobs:find(request.params.id))
      said.links = nil
      return { json = said }
    end)
    on("GET /api/v1/vmware/vm/:id/snapshot", function()
      local row = #jobs:all() > 0 and { id = "snap-1", date = iso(test.clock:now()), isOnDemandSnapshot = true } or nil
      return list { row, row }
    end)
    assert.result(run.backup(setup)).succeeded()
  end)

  it("is started again where its session has gone and a new login is to be had only later", function()
    outside()
    local backup = run.create(setup)
    on("GET /api/v1/vmware/vm/:id/snapshot", function()
      if api:count "POST /api/v1/vmware/vm/:id/snapshot" == 0 then
        open = {}
        api:fault("POST /api/v1/session", fault.status(503), fault.status(503), fault.reset())
      end
      return list {}
    end)
    local result = backup:run()
    test.clock:advance(120)
    assert.equal("CREATE_VMWARE_SNAPSHOT_1234:::1", result:show().externalId)
    assert.equal(1, #jobs:all())
  end)

  it("tells nothing of a login that it cannot read: a token may be in it", function()
    outside()
    api:fault("POST /api/v1/session", fault.status(200, { body = '{"token":"s3cr3t-token","id":' }))
    local _, err = run.testConnection(setup.connection)
    assert.equal("unreachable", err.code)
    assert.is_nil(err.message:find("s3cr3t", 1, true))
    assert.truthy(run.testConnection(setup.connection))
  end)

  it("asks once that vCenters are looked at, and waits for the VM", function()
    outside()
    local asked = 0
    on("GET /api/v1/vmware/vcenter", list { { id = "vCenter:::1" } })
    on("POST /api/v1/vmware/vcenter/:id/refresh", function()
      asked = asked + 1
      return { status = 202, json = { id = "REFRESH", status = "QUEUED" } }
    end)
    on("GET /api/v1/vmware/vm", function(request) return list(request.number > 6 and { { id = VM, moid = "vm-123" } } or {}) end)
    assert.equal(VM, run.create(setup):show().externalId)
    assert.equal(1, asked)
  end)

  it("takes no VM whose id only resembles what is meant", function()
    outside()
    on("GET /api/v1/vmware/vm", list { { id = "VirtualMachine:::7d2b-vm-1234" }, { id = "VirtualMachine:::7d2b-vm-12", moid = "vm-12" }, { id = VM }, { id = VM } })
    assert.equal(VM, run.create(setup):show().externalId)
    on("GET /api/v1/vmware/vm", list { { id = VM, moid = "vm-123" }, { id = "VirtualMachine:::other-vm-123", moid = "vm-123" } })
    local _, err = run.create { name = "other", connection = setup.connection, options = setup.options }
    assert.matches("several VM vm%-123", err.message)
  end)

  it("asks again for what keeps it from taking an SLA domain away", function()
    outside()
    local backup = run.create { connection = setup.connection, options = { vm = "vm-123", slaDomain = "Gold" } }
    api:fault("PATCH /api/v1/vmware/vm/:id", fault.status(409), fault.status(503))
    assert(backup:delete())
    assert.equal("INHERIT", assigned)
  end)

  for form, said in pairs { text = "quiesce timed out", tables = { message = { message = "quiesce timed out" } }, cause = { cause = { reason = "quiesce timed out" } } } do
    it("says what Rubrik says in whatever form: " .. form, function()
      outside { fails = "x" }
      on("GET /api/v1/vmware/vm/request/:id", { json = { status = "FAILED", error = said } })
      assert.result(run.backup(setup)).failed("quiesce timed out")
    end)
  end

  it("starts one snapshot at most, wherever it dies, and leaves what cannot be told to a person", function()
    everyCrash({ person = true }, function()
      outside()
      assert.result(run.backup(setup)).succeeded()
    end)
  end)

  it("so it does without events", function()
    everyCrash({ person = true }, function()
      outside { events = false }
      assert.result(run.backup { connection = setup.connection, options = { vm = "vm-123", slaDomain = "Gold" } }).succeeded()
    end)
  end)
end)
