-- restic against a restic that exists only here: its repository, its locks, its exit codes. The real one is tried in tests/providers.
local test = require "orrery.test"
local mock, run, clock, everyCrash = test.mock, test.run, test.clock, test.everyCrash

local REPOSITORY = "/srv/repo"

describe("restic", function()
  local restic, snapshots

  local function has(list, word)
    for i, item in ipairs(list) do
      if item == word then return i end
    end
  end

  --- A repository that is there; `lasts`: seconds of a backup.
  local function outside(lasts, more)
    restic, snapshots = mock.process "restic", {}
    restic:on("--no-cache cat config ...", { stdout = '{"id":"0123456789abcdef","version":2}' })
    restic:on("--no-cache unlock", 0)
    restic:on("--no-cache backup ...", function(command)
      local reply = { lasts = lasts, stdout = {
        { lasts * 0.4, '{"message_type":"status","percent_done":0.4,"files_done":4,"total_files":10,"total_bytes":1000}\n' },
        { lasts * 0.9, '{"message_type":"summary","snapshot_id":"feedbeef","total_bytes_processed":1000,"data_added":10}\n' } } }
      for key, value in pairs(more or {}) do reply[key] = value end
      if (reply.code or 0) ~= 1 then table.insert(snapshots, { id = "feedbeef", short_id = "feed", tags = command.argv[has(command.argv, "--tag") + 1] }) end
      return reply
    end)
    restic:on("--no-cache snapshots ...", function(command)
      local uuid, found = command.argv[has(command.argv, "--tag") + 1], {}
      for _, snapshot in ipairs(snapshots) do
        if snapshot.tags:find(uuid, 1, true) then table.insert(found, snapshot) end
      end
      return { stdout = #found == 0 and "[]" or ('[{"id":"%s","short_id":"%s"}]'):format(found[1].id, found[1].short_id) }
    end)
    restic:on("--no-cache forget *", function() snapshots = {} return 0 end)
    restic:on("--no-cache prune", { lasts = 30, code = 0 })
  end

  local function setup(more)
    local all = { connection = { repository = REPOSITORY, password = "geheim-und-lang" }, options = { path = "/etc" } }
    for key, value in pairs(more or {}) do all[key] = value end
    return all
  end

  it("backs up with progress, and forgets the snapshot when it is deleted", function()
    outside(60)
    local result = run.create(setup()):run()
    clock:advance(30)
    assert.equal(40, result:show().progress)
    assert.equal("4 of 10 files", result.statusMessage)
    assert.result(result:wait()).succeeded()
    assert.equal("feedbeef", result.snapshotId)
    assert.equal(1000, result.sizeInBytes)
    assert.is_true(result:delete())
    assert.equal("feedbeef", restic:last("--no-cache forget *").argv[4])
  end)

  it("tells restic its secrets by the environment, and tags by the uuid", function()
    outside(5)
    local result = run.backup(setup())
    local command = restic:last("--no-cache backup ...")
    assert.equal(REPOSITORY, command.env.RESTIC_REPOSITORY)
    assert.equal("geheim-und-lang", command.env.RESTIC_PASSWORD)
    assert.is_truthy(has(command.argv, "orrery," .. result.uuid))
    for _, word in ipairs(command.argv) do assert.is_nil(word:find("geheim", 1, true)) end
  end)

  it("succeeds with a warning where files could not be read", function()
    outside(5, { code = 3, stderr = '{"message_type":"error","during":"archival","item":"/etc/shadow"}\n' })
    assert.result(run.backup(setup { delete = false })).succeededWithWarning()
  end)

  it("fails with restic's reason, and drops the lock of what was killed", function()
    outside(5, { code = 1, stdout = {}, stderr = "Fatal: no space left on device\n" })
    assert.result(run.backup(setup { delete = false })).failed("no space left on device")
    assert.equal(1, restic:count "--no-cache unlock")
  end)

  it("waits for a repository that is locked, as long as it is told to", function()
    outside(5)
    restic:fault("--no-cache backup ...", { code = 1, stderr = "Fatal: unable to create lock in backend: repository is already locked by PID 7 on elsewhere\n" })
    local result = run.backup(setup { delete = false })
    assert.result(result).succeeded()
    assert.equal(2, restic:count "--no-cache backup ...")
  end)

  it("refuses a wrong password before it starts anything", function()
    outside(5)
    restic:fault("--no-cache cat config ...", { code = 1, stderr = "Fatal: wrong password or no key found\n" })
    assert.result(run.backup(setup())).failed("wrong password for the repository /srv/repo")
    assert.equal(0, restic:count "--no-cache backup ...")
  end)

  it("makes a repository that is not there", function()
    outside(5)
    restic:on("--no-cache init", 0)
    restic:fault("--no-cache cat config ...",
      { code = 1, stderr = "Fatal: unable to open config file: stat /srv/repo/config: no such file or directory\nIs there a repository at the following location?\n/srv/repo\n" })
    assert.result(run.backup(setup())).succeeded()
    assert.equal(1, restic:count "--no-cache init")
  end)

  it("cancels", function()
    outside(600)
    local result = run.create(setup()):run()
    clock:advance(60)
    assert.is_true(result:cancel())
    assert.result(result:wait()).cancelled()
  end)

  it("prunes where it is asked to", function()
    outside(5)
    assert.result(run.backup(setup { config = { prune = true }, delete = false })).succeeded()
    assert.equal(1, restic:count "--no-cache prune")
  end)

  it("makes one snapshot, wherever the runtime dies", function()
    everyCrash(function()
      outside(4)
      assert.result(run.backup(setup())).succeeded().deleted()
    end)
  end)
end)
