-- command against a program that exists only here. Real ones are tried in tests/providers.
local test = require "orrery.test"
local mock, run, clock, everyCrash = test.mock, test.run, test.clock, test.everyCrash

describe("command", function()
  local dump

  local function outside(reply)
    dump = mock.process "dump-db"
    dump:on("--full", reply)
    dump:on("--remove", 0)
  end

  local setup = { options = { argv = "dump-db --full", deleteArgv = "dump-db --remove", warningExitCodes = "3, 4" }, delete = false }

  it("takes what the program says of itself", function()
    outside({ lasts = 100, stdout = { { 10, "progress: 40\nmessage: copying tables\n" }, { 90, "size: 123456\npath: /var/backups/x.dump\nid: 8f31" } } })
    local result = run.create(setup):run()
    clock:advance(20)
    assert.equal(40, result:show().progress)
    assert.equal("copying tables", result.statusMessage)
    assert.result(result:wait()).succeeded()
    assert.same({ 123456, "/var/backups/x.dump", "8f31" }, { result.sizeInBytes, result.resultPath, result.externalId })
    assert.equal(result.uuid, dump:last("--full").env.ORRERY_RESULT_UUID)
    assert.is_true(result:delete())
    assert.equal("8f31", dump:last("--remove").env.ORRERY_EXTERNAL_ID)
  end)

  it("succeeds with a warning by an exit code, or by a word", function()
    outside({ lasts = 5, code = 4 })
    assert.result(run.backup(setup)).succeededWithWarning()
    dump:on("--full", { lasts = 5, stdout = "warning: table x was skipped\n" })
    local result = run.create(setup):run():wait()
    assert.result(result).succeededWithWarning()
    assert.equal("table x was skipped", result.statusMessage)
  end)

  it("fails with the last line, or the signal", function()
    outside({ lasts = 5, code = 1, stdout = "connecting\nno such database\n" })
    assert.result(run.backup(setup)).failed("exit code 1: no such database")
    dump:on("--full", { lasts = 5, code = -1, signal = 9 })
    assert.result(run.create(setup):run():wait()).failed("ended by signal 9")
  end)

  it("cancels", function()
    outside({ lasts = 600 })
    local result = run.create(setup):run()
    assert.is_true(result:cancel())
    assert.result(result:wait()).cancelled()
  end)

  it("refuses what it cannot run", function()
    outside(0)
    local _, err = run.create { options = { argv = "dump-db 'not closed" } }
    assert.is_truthy(err.fields.argv:find("not closed", 1, true))
    _, err = run.create { options = { argv = "dump-db | gzip" } }
    assert.is_truthy(err.fields.argv:find("means something to a shell only", 1, true))
  end)

  it("runs the program once, wherever the runtime dies", function()
    everyCrash(function()
      outside({ lasts = 4 })
      assert.result(run.backup { options = setup.options }).succeeded().deleted()
    end)
  end)
end)
