-- Job runners that are killed, and job directories that somebody has laid hands on: what becomes of the result. At the calls of a runner one by one
-- unit/test_port_job_kills.c looks, without a runtime around it; here is what a person sees.
local support = require "support"

local CALLS = 80 -- about so many does a runner make for a tool that says nothing

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

local function run(command) assert(os.execute(command) == 0, command) end

-- Whether something holds the lock of a job: then its runner, its keeper or its tool lives.
local function isHeld(folder) return os.execute("flock --nonblock --shared " .. folder .. "/lock true 2>/dev/null") ~= 0 end

local function await(rt, holds, what)
  for _ = 1, 600 do
    rt:advance(0.05)
    if holds() then return end
    os.execute("sleep 0.02")
  end
  error("waited in vain: " .. what)
end

local refreshes = [[
function provider.refreshBackupResult(r)
  local isKnown, state = pcall(job.poll, "tool")
  if not isKnown then return ServiceResponse.retry(state.message, { after = 0.05 }) end -- soon: the specs below wait in real time
  if state.state == "ended" then r.status, r.statusMessage = state.code == 0 and "SUCCEEDED" or "FAILED", state.message ~= "" and state.message or nil
  elseif state.state == "lost" then r.status, r.errorMessage = "FAILED", state.message
  elseif state.state == "absent" then return ServiceResponse.gone("the job directory is not there") end
end
]]

describe("a job runner that is killed", function()
  after_each(support.clean)

  it("at any of its calls leaves no result in progress for ever, no false success, and no tool", function()
    local folder = support.folder()
    local dies = ORRERY_RUNNER:gsub("orrery%-runner$", "tests/orrery-runner-dies")
    write(folder .. "/runner", "#!/bin/sh\nORRERY_DIE_AT=${2#tool-} exec " .. dies .. ' "$@"\n')
    for n = 1, CALLS do
      write(folder .. "/tool-" .. n, '#!/bin/sh\necho begin >>"$1"\nsleep 0.1\necho end >>"$1"\n')
    end
    run("chmod +x " .. folder .. "/runner " .. folder .. "/tool-*")
    local rt = support.openLasting { runner_path = folder .. "/runner" }
    rt:provider("p", ("local folder = %q\n"):format(folder) .. [[
      function provider.executeBackup(backup, r, config)
        job.start { name = "tool", argv = { folder .. "/tool-" .. config.call, folder .. "/ledger-" .. config.call } }
      end]] .. "\n" .. refreshes, "refreshInterval = 5, needs = { exec = { '" .. folder .. "/tool-*' } }")
    rt:create("p")
    for n = 1, CALLS do rt:ask("backup.run", { backup = "b", config = { call = n } }) end
    local results
    await(rt, function()
      rt:advance(20) -- a start that died before it began is tried again, later each time
      results = rt:ask("result.ls", { limit = 1000 })
      for _, result in ipairs(results) do
        if result.nextAction then return false end
      end
      return true
    end, "all have ended")
    local count = { SUCCEEDED = 0, FAILED = 0 }
    assert.equal(CALLS, #results)
    for _, result in ipairs(results) do
      local n, whole = result.executionConfig.call, rt:result(result.id)
      local ledger, at = read(folder .. "/ledger-" .. n), "call " .. n .. ": "
      assert.is_nil(whole.attention, at)
      count[whole.status] = count[whole.status] + 1
      if whole.status == "SUCCEEDED" then
        assert.equal("begin\nend\n", ledger, at)
      else
        local why = whole.errorMessage or ""
        assert.is_true(why:find("its runner was killed", 1, true) ~= nil or why:find("died before it began", 1, true) ~= nil, at .. why)
        assert.is_true(ledger == "" or ledger == "begin\n" or ledger == "begin\nend\n", at .. "begun once at most: " .. ledger)
        assert.is_false(isHeld(rt.settings.data_dir .. "/jobs/" .. whole.uuid .. "/tool"), at .. "nothing runs")
      end
    end
    assert.is_true(count.SUCCEEDED > 0 and count.FAILED > 20)
  end)
end)

-- In real time, for the virtual one stands still while a job runs.
describe("a job directory that somebody has laid hands on", function()
  local rt, go, folder
  local INTERVAL = 0.1

  local function eventually(holds, what)
    for _ = 1, 30000 do
      if holds() then return end
      for _ = 1, 5 do rt:pump() end
    end
    error("waited in vain: " .. what)
  end
  local function isOver(id)
    local result = rt:result(id)
    return result.attention ~= nil or result.nextAction == nil
  end
  -- A tool tells its process id beside its marker: its directory may not be there any more.
  local function isRunning(tool)
    local id = read(go .. "/" .. tool .. ".pid")
    return id ~= "" and os.execute("kill -0 " .. id:gsub("\n", "") .. " 2>/dev/null") == 0
  end
  local function awaitEnd(tool)
    for _ = 1, 3000 do
      if not isRunning(tool) then return end
      os.execute("sleep 0.01")
    end
    error("the tool " .. tool .. " goes on")
  end
  local function seconds(n)
    local stop = rt:now() + n * 1000
    eventually(function() return rt:now() >= stop end, "time passes")
  end

  --- Runs two results, each of whose tools goes on until its marker is there. folder: of the first one's job.
  before_each(function()
    go = support.folder()
    rt = support.openLasting { clock = "real" }
    rt:provider("p", "local go = '" .. go .. "'\n" .. [[
      function provider.executeBackup(backup, r)
        job.start { name = "tool", argv = { "sh", "-c", "echo $$ >$0.pid; echo begin; while [ ! -e $0 ]; do sleep 0.02; done; echo end", go .. "/" .. r.id } }
      end]] .. "\n" .. refreshes, "refreshInterval = " .. INTERVAL .. ", visibilityDelay = 0.3, needs = { exec = { 'sh' } }")
    rt:create("p")
    for id = 1, 2 do
      rt:ask("backup.run", { backup = "b" })
      local at = rt.settings.data_dir .. "/jobs/" .. rt:result(id).uuid .. "/tool"
      eventually(function() return rt:result(id).status == "IN_PROGRESS" and read(at .. "/log") == "begin\n" end, "the tool runs")
      if id == 1 then folder = at end
    end
  end)
  after_each(function()
    for id = 1, 2 do run("touch " .. go .. "/" .. id) end
    eventually(function() return isOver(2) end, "the end of the other one")
    for _, tool in ipairs { "1", "2", "command" } do awaitEnd(tool) end -- before the markers go: one that has not looked yet would look for ever
    assert.equal("SUCCEEDED", rt:result(2).status) -- nothing of it has come to that
    support.clean()
  end)

  local function tamper(command) run((command:gsub("%$J", folder))) end
  local function ends()
    run("touch " .. go .. "/1")
    eventually(function() return isOver(1) end, "an end")
    return rt:result(1)
  end
  local function endsAlone() -- the tool, without the runtime taking notice
    run("touch " .. go .. "/1")
    for _ = 1, 1000 do
      if read(folder .. "/exit") ~= "" and not isHeld(folder) then return end
      os.execute("sleep 0.01")
    end
    error("the tool does not end")
  end

  for _, command in ipairs { "rm $J/spec", "rm $J/log", "rm $J/begun", ": >$J/begun", ": >$J/spec", "echo garbage >$J/exit", "echo garbage >$J/begun",
    "mkdir $J/more && touch $J/more/x" } do
    it("(" .. command .. ") while the job runs: it is waited for, and its end is true", function()
      tamper(command)
      seconds(0.1)
      assert.is_false(isOver(1))
      assert.equal("SUCCEEDED", ends().status)
    end)
  end

  it("(rm $J/lock) while the job runs: no false end; it needs attention, and says why", function()
    tamper("rm $J/lock")
    eventually(function() return isOver(1) end, "attention")
    local result = rt:result(1)
    assert.same({ "IN_PROGRESS", "refresh_failing" }, { result.status, result.attention })
    assert.matches("has lost its file lock", result.statusMessage)
    endsAlone()
    rt:ask("result.resolve", { result = "1", ran = "tool" })
    assert.equal("SUCCEEDED", ends().status)
  end)

  it("(rm $J/lock) while the job runs, and it ends soon: its end is found", function()
    tamper("rm $J/lock")
    eventually(function() return (rt:result(1).statusMessage or ""):find("has lost its file lock", 1, true) end, "the message")
    assert.equal("SUCCEEDED", ends().status)
  end)

  it("(rm -r $J) while the job runs: no false end, but attention, and the tool is ended", function()
    tamper("rm -r $J")
    eventually(function() return isOver(1) end, "attention")
    local result = rt:result(1)
    assert.same({ "IN_PROGRESS", "lost_external" }, { result.status, result.attention })
    assert.matches("the job directory is not there", result.statusMessage)
    awaitEnd("1")
  end)

  it("(a file in the place of $J) while the job runs: no false end, but attention", function()
    tamper("mv $J " .. go .. "/away && touch $J")
    eventually(function() return isOver(1) end, "attention")
    local result = rt:result(1)
    assert.equal("IN_PROGRESS", result.status)
    assert.truthy(result.attention)
  end)

  it("(rm $J/exit) after the end: FAILED on what evidence is left", function()
    endsAlone()
    tamper("rm $J/exit")
    local result = ends()
    assert.equal("FAILED", result.status)
    assert.matches("without a word", result.errorMessage)
  end)

  it("(garbage in $J/exit) after the end: FAILED, and the message names the file", function()
    endsAlone()
    write(folder .. "/exit", "orrery-exit 1\nfailure=0\ncode=zero\nend\n")
    local result = ends()
    assert.equal("FAILED", result.status)
    assert.matches("its exit file is damaged: .*/tool/exit", result.errorMessage)
  end)

  it("(what is not ours in $J) is left there when the record goes, and that is said", function()
    tamper("mkdir $J/more && touch $J/more/x")
    assert.equal("SUCCEEDED", ends().status)
    rt:ask("result.rm", { result = "1", force = true })
    eventually(function() return rt:logged(folder) end, "a line in the log")
    assert.equal(0, os.execute("test -e " .. folder .. "/more/x"))
  end)

  it("(rm -r $J) while a command runs: the shipped provider does not take it for dead", function()
    assert(rt:source("command", read(ORRERY_SPEC_DIR .. "/../../providers/command.lua")))
    rt:ask("backup.create", { name = "c", provider = "command", refreshInterval = 0.1, config = { argv = { "sh", "-c",
      "echo $$ >$0/command.pid; while [ ! -e $0/1 ]; do sleep 0.02; done", go } } })
    local id = rt:ask("backup.run", { backup = "c" }).id
    local at = rt.settings.data_dir .. "/jobs/" .. rt:result(id).uuid
    eventually(function() return rt:result(id).status == "IN_PROGRESS" and isRunning("command") end, "the command runs")
    run("rm -r " .. at)
    eventually(function() return isOver(id) end, "attention")
    local result = rt:result(id)
    assert.same({ "IN_PROGRESS", "lost_external" }, { result.status, result.attention })
    assert.matches("the directory of its job is gone", result.statusMessage)
  end)
end)
