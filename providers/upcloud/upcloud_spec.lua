-- upcloud against a mock of its API: several disks, and a death at every single step.
local test = require "orrery.test"
local mock, run, everyCrash = test.mock, test.run, test.everyCrash
local fault = mock.fault

local URL = "https://api.upcloud.test"
local setup = { connection = { serviceUrl = URL .. "/1.3", username = "api", password = "secret pass" }, options = { serverUuid = "server-1" } }

describe("upcloud", function()
  local api, jobs

  local function no(status, word, message) return { status = status, json = { error = { error_code = word, error_message = message } } } end

  local function storage(job)
    return { uuid = job.id, origin = job.disk, title = job.title, size = 25, type = "backup", state = ({ running = "maintenance", done = "online", failed = "error" })[job.state] }
  end

  -- more: options of mock.jobs, and lists = false, others = backups that are not ours, per = rows of a page, hasOffset = false, isAway, url = where it is
  local function outside(more)
    more = more or {}
    jobs = mock.jobs { lasts = more.lasts or 100, fails = more.fails, prefix = "backup-" }
    api = mock.http(more.url or URL)
    api:on("GET /1.3/account", { json = { account = {} } })
    api:on("GET /1.3/server/server-1", { json = { server = { uuid = "server-1", state = "started", storage_devices = { storage_device = {
      { address = "virtio:0", storage = "disk-a", type = "disk" }, { address = "ide:0", storage = "cd", type = "cdrom" }, { address = "virtio:1", storage = "disk-b", type = "disk" } } } } } })
    api:on("GET /1.3/storage/:id", function(request)
      local job = jobs:find(request.params.id)
      if job then return { json = { storage = storage(job) } } end
      if request.params.id:find("^disk") then return { json = { storage = { uuid = request.params.id, state = "online", type = "normal", size = 25 } } } end
      return no(404, "STORAGE_NOT_FOUND", "no such storage")
    end)
    local function list(request)
      if more.lists == false then return no(404, "NOT_FOUND", "no such resource") end
      if more.isAway then return 503 end
      if more.hasOffset == false and request.query.offset then return no(400, "UNKNOWN_ATTRIBUTE", "offset") end
      local rows, part = {}, {}
      for i = 1, more.others or 0 do rows[i] = { uuid = "other-" .. i, title = "other", state = "online" } end
      for _, job in ipairs(jobs:all()) do rows[#rows + 1] = storage(job) end
      local offset = tonumber(request.query.offset) or 0
      for i = offset + 1, math.min(offset + (more.per or 1000), #rows) do part[#part + 1] = rows[i] end
      return { json = { storages = { storage = part } } }
    end
    api:on("GET /1.3/storage/backup", list)
    api:on("GET /1.3/storage", list)
    api:on("POST /1.3/storage/:id/backup", function(request)
      return { status = 201, json = { storage = storage(jobs:start(nil, { disk = request.params.id, title = request.json.storage.title })) } }
    end)
    api:on("DELETE /1.3/storage/:id", function(request)
      local job = jobs:find(request.params.id)
      if job and job.state == "running" then return no(409, "STORAGE_STATE_ILLEGAL", "it is in maintenance") end
      return jobs:remove(request.params.id) and { status = 204 } or no(404, "STORAGE_NOT_FOUND", "no such storage")
    end)
  end

  it("backs up every disk, and only disks", function()
    outside()
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.equal("backup-1,backup-2", result.externalId)
    assert.equal(50e9, result.sizeInBytes)
    assert.equal("orrery-" .. result.uuid .. "-2", api:last("POST /1.3/storage/:id/backup").json.storage.title)
    assert.result(result).deleted()
    assert.equal(0, #jobs:all())
  end)

  it("backs up the disks that were named", function()
    outside()
    local result = run.backup { connection = setup.connection, options = { serverUuid = "server-1", disks = { "disk-b" } } }
    assert.result(result).succeeded()
    assert.equal("/1.3/storage/disk-b/backup", api:last("POST /1.3/storage/:id/backup").path)
  end)

  it("removes what it made where another disk is refused", function()
    outside()
    api:fault("POST /1.3/storage/disk-b/backup", fault.status(402, no(402, "STORAGE_BACKUP_LIMIT", "no more backups")))
    local result = run.create(setup):run():wait()
    assert.result(result).failed("the disk disk-b: UpCloud answered 402: STORAGE_BACKUP_LIMIT: no more backups")
    test.clock:advance(3600)
    assert.equal(0, #jobs:all())
    assert.is_nil(result:show().attention)
  end)

  for _, per in ipairs { 1, 7, 100, 1000 } do
    it("finds a backup whose start was not answered, behind 250 others in pages of " .. per, function()
      outside { others = 250, per = per }
      api:fault("POST /1.3/storage/disk-b/backup", fault.timeout { processed = true })
      assert.result(run.backup(setup)).succeeded()
      assert.equal(2, api:count "POST /1.3/storage/:id/backup")
    end)
  end

  it("takes a list without pages for what it is", function()
    outside { hasOffset = false, others = 3 }
    api:fault("POST /1.3/storage/disk-b/backup", fault.reset())
    assert.result(run.backup(setup)).succeeded()
  end)

  it("takes no disk for its own that is called like its backup", function()
    outside()
    local disk = { uuid = "a-disk", type = "normal", state = "online" }
    local listed = { json = { storages = { storage = { disk } } } }
    api:on("GET /1.3/storage/backup", listed)
    api:fault("POST /1.3/storage/disk-a/backup", fault.reset())
    local result = run.create(setup):run()
    disk.title = "orrery-" .. result.uuid .. "-1"
    listed.json = { storages = { storage = { disk } } }
    assert.result(result:wait()).succeeded()
    assert.equal("backup-1,backup-2", result.externalId)
  end)

  it("takes disks with commas between them", function()
    outside()
    assert.result(run.backup { connection = setup.connection, options = { serverUuid = "server-1", disks = "disk-a, disk-b" } }).succeeded()
    assert.equal(2, api:count "POST /1.3/storage/:id/backup")
  end)

  it("has the patience for many disks where UpCloud is slow", function()
    outside()
    local devices = {}
    for i = 1, 4 do devices[i] = { storage = "disk-" .. i, type = "disk" } end
    api:on("GET /1.3/server/server-1", { json = { server = { storage_devices = { storage_device = devices } } } })
    api:on("GET /1.3/storage/:id", function(request)
      local job = jobs:find(request.params.id)
      return { delay = job and 20 or 0, json = { storage = job and storage(job) or { state = "online" } } }
    end)
    assert.result(run.backup(setup)).succeeded()
  end)

  it("waits where the rate limit is met before the start, and does not fail", function()
    outside()
    api:fault("GET /1.3/server/server-1", fault.tooMany(90))
    api:fault("GET /1.3/storage/disk-a", fault.tooMany(90))
    assert.result(run.backup(setup)).succeeded()
  end)

  it("removes the others at the deadline where one of them is gone", function()
    outside()
    local result = run.create(setup):run()
    jobs:remove("backup-1")
    result = result:wait()
    assert.result(result).needsAttention("lost_external")
    test.clock:advance(25 * 3600)
    assert.result(result:show()).failed("UpCloud has no backup backup-1 of the disk disk-a")
    assert.equal(0, #jobs:all())
  end)

  -- The start of the backup of a disk is not answered, and the lists are away until somebody has to look. The result, and what outside() was given.
  local function unknown(disk)
    local more = { isAway = true }
    outside(more)
    api:fault("POST /1.3/storage/" .. disk .. "/backup", fault.reset { processed = true })
    local result = run.create(setup):run():wait()
    assert.result(result).needsAttention("unknown_start")
    return result, more
  end

  it("looks for the others by title where a person has said that it ran", function()
    local result, more = unknown("disk-b")
    assert.same({ "backup-1", 2 }, { result.externalId, #jobs:all() })
    more.isAway = false
    assert(test.request("result.resolve", { result = result.uuid, ran = "" }))
    result = result:wait()
    assert.result(result).succeeded()
    assert.equal("backup-1,backup-2", result.externalId)
  end)

  it("deletes what nobody had heard of, once it can be found", function()
    local result, more = unknown("disk-a")
    assert(test.request("result.resolve", { result = result.uuid, didNotRun = true }))
    local ok, err = result:delete()
    assert.is_nil(ok)
    assert.matches("stays pending", err.message)
    more.isAway = false
    test.clock:advance(3600)
    assert.equal(0, #jobs:all())
  end)

  it("is not taken in by something else that answers", function()
    outside()
    assert.is_truthy(run.testConnection(setup.connection))
    api:on("GET /1.3/account", { status = 404, json = { error = { error_code = "NOT_FOUND" } } })
    assert.is_truthy(run.testConnection(setup.connection))
    api:on("GET /1.3/account", { status = 404, body = "<html>nothing here</html>" })
    local ok, err = run.testConnection(setup.connection)
    assert.is_nil(ok)
    assert.matches("answered 404: <html>nothing here", err.message)
  end)

  it("goes to the host of the connection", function()
    outside { url = "https://proxy.test:8443" }
    assert.result(run.backup { connection = { host = "proxy.test", port = 8443, username = "api", password = "secret pass" }, options = setup.options }).succeeded()
  end)

  it("goes nowhere where the connection names two places", function()
    local backup, err = run.create { connection = { serviceUrl = URL, host = "proxy.test", username = "api", password = "secret pass" }, options = setup.options }
    assert.is_nil(backup)
    assert.matches("the address https://api.upcloud.test and the host proxy.test: give it one of them", err.message)
  end)

  it("waits for a disk that something else is done to", function()
    outside()
    api:fault("GET /1.3/storage/disk-a", fault.status(200, { json = { storage = { state = "cloning" } } }), fault.status(200, { json = { storage = { state = "cloning" } } }))
    assert.result(run.backup(setup)).succeeded()
  end)

  it("asks again where something else has begun in between", function()
    outside()
    api:fault("POST /1.3/storage/disk-a/backup", fault.status(409, no(409, "STORAGE_STATE_ILLEGAL", "it is backuping")))
    assert.result(run.backup(setup)).succeeded()
  end)

  it("needs nothing that an answer may leave out", function()
    outside()
    api:on("GET /1.3/server/server-1", { json = { server = { storage_devices = { storage_device = { { storage = "disk-a" } } } } } })
    api:on("GET /1.3/storage/disk-a", { json = { storage = { state = "online" } } })
    api:on("POST /1.3/storage/disk-a/backup", function(request) return { json = { storage = { uuid = jobs:start(nil, { title = request.json.storage.title }).id } } } end)
    api:on("GET /1.3/storage/backup-1", function() return { json = { storage = { state = storage(jobs:all()[1]).state } } } end)
    local result = run.backup { connection = { serviceUrl = URL .. "/", username = "api", password = "secret pass" }, options = setup.options }
    assert.result(result).succeeded()
    assert.same({ "backup-1" }, { result.externalId, result.sizeInBytes })
    assert.result(result).deleted()
  end)

  it("does not start another one where what it made is not listed yet", function()
    outside()
    local unlisted = fault.status(200, { json = { storages = { storage = {} } } })
    api:fault("GET /1.3/storage/backup", unlisted, unlisted, unlisted)
    api:fault("POST /1.3/storage/disk-a/backup", fault.reset { processed = true })
    api:on("GET /1.3/storage/disk-a", function()
      local job = jobs:all()[1]
      return { json = { storage = { state = job and job.state == "running" and "backuping" or "online" } } }
    end)
    assert.result(run.create(setup):run():wait()).succeeded()
    assert.equal(2, #jobs:all())
  end)

  it("starts exactly one backup of each disk, wherever it dies", function()
    everyCrash({ jobs = 2 }, function()
      outside()
      assert.result(run.backup(setup)).succeeded()
    end)
  end)

  it("leaves a start that nobody heard of to a person where the API has no lists, and never doubles one", function()
    everyCrash({ jobs = 2, person = true }, function()
      outside { lists = false }
      assert.result(run.backup(setup)).succeeded()
    end)
  end)
end)
