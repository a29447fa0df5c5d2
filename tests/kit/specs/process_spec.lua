-- mock.process: commands, and jobs that run on virtual time and outlive the runtime.
local test = require "orrery.test"
local mock, run, clock, everyCrash = test.mock, test.run, test.clock, test.everyCrash
local fault = mock.fault

local provider = [[
  local provider = Provider { apiVersion = 1, code = "p", name = "P", version = "1", needs = { exec = { "tool", "other" } } }
  function provider.executeBackup(backup, r)
    job.start { name = "copy", argv = { "tool", "copy", "--tag", r.uuid }, env = { PASSWORD = "secret" } }
    r.status = "IN_PROGRESS"
  end
  function provider.refreshBackupResult(r)
    local state = job.poll("copy")
    for _, line in ipairs(job.lines("copy")) do r.progress = tonumber(line:match("(%d+) %%")) or r.progress end
    if state.state == "running" then return end
    if state.cancelled then r.status = "CANCELLED" elseif state.code == 0 then r.status = "SUCCEEDED" else return false, job.tail("copy", 1) end
  end
  function provider.cancelBackup() job.cancel("copy") return true end
  function provider.deleteBackupResult(r) return process.run { argv = { "tool", "forget", r.uuid } }.code == 0 end
  return provider]]

describe("mock.process", function()
  local tool

  local function outside(reply)
    tool = mock.process "tool"
    tool:on("copy ...", reply or { lasts = 3600, stdout = { { 600, "10 %\n" }, { 1800, "50 %\n" } } })
    tool:on("forget *", { code = 0 })
    assert(test.provider("p", provider))
  end

  it("runs a job for as long as it says, with its output on the way", function()
    outside()
    local result = run.create({ provider = "p" }):run()
    assert.result(result).running()
    clock:advance(700)
    assert.equal(10, result:show().progress)
    clock:advance(1200)
    assert.equal(50, result:show().progress)
    assert.result(result:wait()).succeeded()
    assert.equal(3600, result.took)
    assert.equal("copy", tool:last("copy ...").job)
    assert.equal("secret", tool:last("copy ...").env.PASSWORD)
    assert.equal(result.uuid, tool.commands[1].argv[4])
    assert.is_true(result:delete())
    assert.equal(1, tool:count("forget *"))
  end)

  it("ends a job that fails, that is cancelled, that is not installed", function()
    outside({ lasts = 60, code = 3, stdout = "no space left\n" })
    assert.result(run.backup { provider = "p", delete = false }).failed("no space left")
    local cancelled = run.create({ provider = "p", name = "second" }):run()
    assert.is_true(cancelled:cancel())
    assert.result(cancelled:wait()).cancelled()
    tool:fault("copy ...", fault.missing())
    assert.result(run.create({ provider = "p", name = "third" }):run():wait()).failed("tool")
  end)

  it("answers commands", function()
    mock.process("other"):on({ "say", "two words" }, { stdout = "out", stderr = "err", code = 4, delay = 9 })
    mock.process("tool"):on("...", fault.killed(11))
    assert(test.provider("q", [[
      local provider = Provider { apiVersion = 1, code = "q", name = "Q", version = "1", needs = { exec = { "tool", "other" } } }
      function provider.executeBackup(backup, r)
        local before = time.now()
        local reply = process.run { argv = { "other", "say", "two words" }, stdin = "in" }
        local killed = process.run { argv = { "tool" } }
        r.statusMessage = ("%s %s %d %d %d"):format(reply.stdout, reply.stderr, reply.code, time.now() - before, killed.signal)
        r.status = "SUCCEEDED"
      end
      return provider]]))
    assert.equal("out err 4 9000 11", run.backup({ provider = "q" }).statusMessage)
  end)

  it("has a job that lasts no time at all", function()
    outside({ code = 0, stdout = "100 %\n" })
    local result = run.backup { provider = "p", delete = false }
    assert.result(result).succeeded()
    assert.equal(100, result.progress)
  end)

  it("leaves to the runtime what a host says of a job's end before its start was taken in", function()
    assert(test.provider("p", provider))
    local world = require("orrery.session").here()
    world.services.process = function(self, call)
      if call.args.op ~= "jobStart" then return self:answer(call, { code = 0 }) end
      self:answer(call, { state = "running" })
      self:tell("process", { job = { key = call.args.key, name = call.args.name, state = "ended", code = 0 } })
    end
    assert.result(run.backup { provider = "p", delete = false }).succeeded()
  end)

  it("starts a job exactly once, wherever the runtime dies", function()
    local ran = everyCrash(function()
      outside({ lasts = 90 })
      assert.result(run.backup { provider = "p" }).succeeded().deleted()
    end)
    assert.equal(1, ran.started)
  end)
end)
