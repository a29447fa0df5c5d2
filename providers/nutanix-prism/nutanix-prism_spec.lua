-- nutanix-prism against a mock of both Prisms, with a death at every single step.
local test = require "orrery.test"
local mock, run, everyCrash = test.mock, test.run, test.everyCrash
local fault = mock.fault

local URL = "https://prism.test:9440"
local CENTRAL = { connection = { serviceUrl = URL .. "/", username = "admin", password = "nutanix/4u" }, options = { vmUuid = "vm-1", clusterUuid = "cluster-1" } }
local ELEMENT = { connection = { serviceUrl = URL, username = "admin", password = "nutanix/4u", prism = "element" }, options = { vmUuid = "vm-1" } }

for _, setup in ipairs { CENTRAL, ELEMENT } do
  local isCentral = setup == CENTRAL

  describe("nutanix-prism, of Prism " .. (isCentral and "Central," or "Element,"), function()
    local TASKS = isCentral and "GET /api/nutanix/v3/tasks/:id" or "GET /api/nutanix/v2.0/tasks/:id"
    local api, jobs

    local function task(job)
      if isCentral then
        return { status = ({ running = "RUNNING", done = "SUCCEEDED", failed = "FAILED" })[job.state], percentage_complete = job.percent, error_detail = job.message,
                 entity_reference_list = job.state == "done" and { { kind = "vm", uuid = "vm-1" }, { kind = "snapshot", uuid = "snap-" .. job.id } } or nil }
      end
      return { progress_status = ({ running = "Running", done = "Succeeded", failed = "Failed" })[job.state], percentage_complete = job.percent,
               meta_response = job.message and { error_detail = job.message }, entity_list = job.state == "done" and { { entity_type = "Snapshot", entity_id = "snap-" .. job.id } } or nil }
    end

    local function outside(more)
      more = more or {}
      jobs = mock.jobs { lasts = 100, fails = more.fails, prefix = "task-" }
      api = mock.http(URL)
      local function isOn(request) return request.query.proxyClusterUuid == (isCentral and "cluster-1" or nil) end
      local function snapshot(job) return { uuid = "snap-" .. job.id, snapshot_name = job.name, vm_uuid = "vm-1", created_time = job.endDate * 1000 } end
      api:on("GET /api/nutanix/v2.0/snapshots", function()
        local rows = {}
        for _, job in ipairs(jobs:all()) do
          if job.state == "done" then rows[#rows + 1] = snapshot(job) end
        end
        return { json = { entities = rows } }
      end)
      api:on("POST /api/nutanix/v2.0/snapshots", function(request)
        local spec = request.json.snapshot_specs[1]
        if not isOn(request) or spec.vm_uuid ~= "vm-1" then return { status = 422, json = { message = "no such VM" } } end
        return { status = 201, json = { task_uuid = jobs:start(nil, { name = spec.snapshot_name }).id } }
      end)
      api:on("GET /api/nutanix/v2.0/snapshots/:id", function(request)
        local job = jobs:find((request.params.id:gsub("^snap%-", "")))
        return isOn(request) and job and { json = snapshot(job) } or { status = 404, json = { message = "no such snapshot" } }
      end)
      api:on("DELETE /api/nutanix/v2.0/snapshots/:id", function(request)
        local id = request.params.id:gsub("^snap%-", "")
        local isThere = isOn(request) and (more.keeps and jobs:find(id) or jobs:remove(id))
        return isThere and { status = 201, json = { task_uuid = "deletion" } } or { status = 404, json = { message = "no such snapshot" } }
      end)
      api:on(TASKS, function(request)
        if request.params.id == "deletion" then
          local word = more.keeps and "FAILED" or "SUCCEEDED"
          return { json = { status = word, progress_status = word, error_detail = more.keeps, entity_reference_list = {}, entity_list = {} } }
        end
        local job = jobs:find(request.params.id)
        return job and { json = task(job) } or { status = 404, json = { message = "no such task" } }
      end)
    end

    it("makes a snapshot by a task", function()
      outside()
      local result = run.backup(setup)
      assert.result(result).succeeded()
      assert.same({ "task-1", "snap-task-1" }, { result.externalId, result.snapshotId })
      assert.equal("orrery-" .. result.uuid, api:last("POST /api/nutanix/v2.0/snapshots").json.snapshot_specs[1].snapshot_name)
      assert.result(result).deleted()
      assert.equal(0, #jobs:all())
    end)

    it("deletes what is made but not listed yet", function()
      outside()
      local result = run.create(setup):run()
      local lost, unlisted = fault.status(404), fault.status(200, { json = { entities = {} } })
      api:fault(TASKS, lost, lost, lost)
      api:fault("GET /api/nutanix/v2.0/snapshots", unlisted, unlisted, unlisted, unlisted)
      test.clock:advance(200)
      assert.result(result:wait()).needsAttention("lost_external")
      result:delete()
      assert.equal(0, #jobs:all())
    end)

    for _, hours in ipairs { -2, 2 } do
      it("keeps to our clock where theirs is " .. hours .. " hours off", function()
        local function theirs(ms) return ms and ms + hours * 3600000 end
        outside()
        api:on(TASKS, function(request)
          if request.params.id == "deletion" then return { json = { status = "SUCCEEDED", progress_status = "Succeeded" } } end
          local job = jobs:find(request.params.id)
          local said, first, last = task(job), theirs(job.startDate), theirs(job.endDate)
          local function iso(ms) return ms and os.date("!%Y-%m-%dT%H:%M:%SZ", ms / 1000) end
          said.start_time, said.completion_time, said.start_time_usecs, said.complete_time_usecs = iso(first), iso(last), first * 1000, last and last * 1000
          return { json = said }
        end)
        local begun = test.clock:now()
        local result = run.backup(setup)
        assert.result(result).succeeded()
        assert.equal(100000, result.durationMillis)
        assert.is_true(result.startDate >= begun and result.endDate <= test.clock:now())
      end)
    end

    it("takes its address with and without the path of the API", function()
      outside()
      for _, path in ipairs { "", "/", "/api", "/api/nutanix/v3", "/api/nutanix/v2.0/" } do
        assert.truthy(run.testConnection { serviceUrl = URL .. path, username = "admin", password = "nutanix/4u" })
      end
    end)

    it("says why a deletion has failed, and keeps the record", function()
      outside { keeps = "a clone of it is in use" }
      local result = run.create(setup):run():wait()
      local ok, err = result:delete()
      assert.is_nil(ok)
      assert.matches("Prism keeps the snapshot snap%-task%-1: a clone of it is in use", err.message)
    end)

    it("takes a snapshot for deleted that is not there, whatever the task of the deletion says", function()
      outside()
      local result = run.create(setup):run():wait()
      jobs:remove "task-1" -- by a request whose answer was lost, and which was still at work when the next one came
      api:on("DELETE /api/nutanix/v2.0/snapshots/:id", { status = 201, json = { task_uuid = "second" } })
      api:on(TASKS, { json = { status = "FAILED", progress_status = "Failed", error_detail = { message = "no such snapshot" } } })
      assert(result:delete())
    end)

    it("asks again for a deletion where the list of snapshots does not answer just now", function()
      outside()
      local result = run.create(setup):run()
      local lost = fault.status(404)
      api:fault(TASKS, lost, lost, lost, lost)
      test.clock:advance(200)
      assert.result(result:wait()).needsAttention("lost_external")
      api:fault("GET /api/nutanix/v2.0/snapshots", fault.status(500))
      assert(result:delete())
      assert.equal(0, #jobs:all())
    end)

    it("looks for what it started where the answer has no id of a task", function()
      outside()
      api:fault("POST /api/nutanix/v2.0/snapshots", fault.status(201, { json = { task_uuid = "" }, processed = true }))
      assert.result(run.backup(setup)).succeeded()
      assert.equal(1, api:count "POST /api/nutanix/v2.0/snapshots")
    end)

    it("finds its snapshot on any page of a list that has pages", function()
      outside()
      api:on("GET /api/nutanix/v2.0/snapshots", function(request)
        local rows, page = { { uuid = "a", snapshot_name = "nightly" }, { uuid = "b", snapshot_name = mock.null } }, tonumber(request.query.page) or 1
        for _, job in ipairs(jobs:all()) do
          if job.state == "done" then rows[#rows + 1] = { uuid = "snap-" .. job.id, snapshot_name = job.name } end
        end
        return { json = { entities = { rows[page] }, metadata = { grand_total_entities = #rows } } }
      end)
      api:fault("POST /api/nutanix/v2.0/snapshots", fault.timeout { processed = true })
      assert.result(run.backup(setup)).succeeded()
      assert.same({ "3", isCentral and "cluster-1" or nil }, { api:last("GET /api/nutanix/v2.0/snapshots").query.page, api:last("GET /api/nutanix/v2.0/snapshots").query.proxyClusterUuid })
    end)

    it("is not content with anything that answers", function()
      outside()
      local other = { fault.status(200, { body = "<html>hello</html>" }), fault.status(302, { headers = { Location = "https://elsewhere.test" } }), fault.status(401) }
      for _, one in ipairs(other) do
        api:fault("GET /api/nutanix/v2.0/snapshots", one)
        assert.is_nil((run.testConnection(setup.connection)))
      end
      assert.truthy(run.testConnection(setup.connection))
    end)

    it("says why a task has failed, be that a text or more", function()
      outside { fails = isCentral and { message = "no space left in the container" } or "no space left in the container" }
      assert.result(run.backup(setup)).failed("no space left in the container")
    end)

    it("asks for the cluster, or the VM, that it was not told of", function()
      outside()
      assert.result(run.backup { connection = setup.connection, options = { clusterUuid = "cluster-1" } }).failed("which VM?")
      if isCentral then assert.result(run.backup { name = "other", options = { vmUuid = "vm-1" }, connection = setup.connection }).failed("which cluster?") end
    end)

    it("needs nothing that an answer may leave out", function()
      outside()
      api:on(TASKS, function(request)
        local job = jobs:find(request.params.id)
        return { json = { [isCentral and "status" or "progress_status"] = (not job or job.state == "done") and "SUCCEEDED" or "QUEUED" } }
      end)
      api:on("GET /api/nutanix/v2.0/snapshots", function()
        local job = jobs:all()[1]
        return { json = { entities = job and { { uuid = "snap-task-1", snapshot_name = job.name, created_time = job.startDate * 1000 } } or {} } }
      end)
      api:on("GET /api/nutanix/v2.0/snapshots/:id", { json = { uuid = "snap-task-1" } })
      local result = run.backup(setup)
      assert.result(result).succeeded()
      assert.equal("snap-task-1", result.snapshotId)
      assert.result(result).deleted()
    end)

    it("leaves a start that nobody heard of to a person, and never doubles one", function()
      everyCrash({ person = true }, function()
        outside()
        assert.result(run.backup(setup)).succeeded()
      end)
    end)

    it("finds a start whose answer was lost by its name", function()
      outside()
      api:fault("POST /api/nutanix/v2.0/snapshots", fault.timeout { processed = true })
      assert.result(run.backup(setup)).succeeded()
      assert.equal(1, api:count "POST /api/nutanix/v2.0/snapshots")
    end)
  end)
end
