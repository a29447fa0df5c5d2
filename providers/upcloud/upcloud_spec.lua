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

  -- more: options of mock.jobs, and lists = false
  local function outside(more)
    more = more or {}
    jobs = mock.jobs { lasts = more.lasts or 100, fails = more.fails, prefix = "backup-" }
    api = mock.http(URL)
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

  for _, per in ipairs { 100, 1000 } do
    it("finds a backup whose start was not answered, behind 250 others in pages of " .. per, function()
      outside { others = 250, per = per }
      api:fault("POST /1.3/storage/disk-b/backup", fault.timeout { processed = true })
      assert.result(run.backup(setup)).succeeded()
      assert.equal(2, api:count "POST /1.3/storage/:id/backup")
    end)
  end

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
