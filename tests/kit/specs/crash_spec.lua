-- everyCrash: right providers pass at every step, wrong ones are caught with a line that names the step.
local test = require "orrery.test"
local blame = require "orrery.blame"
local mock, run, everyCrash = test.mock, test.run, test.everyCrash

local head = [[
local provider = Provider { apiVersion = 1, code = "p", name = "P", version = "1", needs = { http = { "https://jobs.test" } }, %s }
local function post(key)
  local reply = http.post("https://jobs.test/jobs", { json = { key = key } })
  if reply.status ~= 201 then error("answered " .. reply.status) end
  return reply:json().id
end
function provider.refreshBackupResult(r)
  if r.externalId and http.get("https://jobs.test/jobs/" .. r.externalId):json().state == "done" then r.status = "SUCCEEDED" end
end
function provider.deleteBackupResult(r)
  return r.externalId == nil or http.delete("https://jobs.test/jobs/" .. r.externalId).status < 500
end
]]

local plain = "function provider.executeBackup(b, r) r.externalId, r.status = post(r.uuid), 'IN_PROGRESS' end\n"
local lookUp = [[
function provider.recoverBackupResult(r)
  local reply = http.get("https://jobs.test/jobs?key=" .. r.uuid)
  if reply.status == 404 then return ServiceResponse.success { found = false } end
  r.externalId = reply:json().id
  return true
end
]]

--- The outside; `knowsKeys`: a key that comes again starts nothing.
local function outside(knowsKeys)
  local jobs, api = mock.jobs { lasts = 150 }, mock.http "https://jobs.test"
  api:on("POST /jobs", function(request)
    local known = knowsKeys and jobs:findKey(request.json.key)
    return { status = 201, json = { id = (known or jobs:start(not knowsKeys and {} or request.json.key, { key = request.json.key })).id } }
  end)
  api:on("GET /jobs", function(request)
    local job = jobs:findKey(request.query.key)
    return job and { json = { id = job.id } } or 404
  end)
  api:on("GET /jobs/:id", function(request) return { json = { state = jobs:find(request.params.id).state } } end)
  api:on("POST /jobs/:id/cancel", function(request) return jobs:cancel(request.params.id) and 202 or 404 end)
  api:on("DELETE /jobs/:id", function(request) return jobs:remove(request.params.id) and 204 or 404 end)
  return jobs
end

local function scenario(declaration, hooks, knowsKeys)
  return function()
    outside(knowsKeys)
    assert(test.provider("p", head:format(declaration) .. hooks .. "return provider"))
    assert.result(run.backup { provider = "p" }).succeeded().deleted()
  end
end

--- What everyCrash says of a wrong one.
local function caught(...)
  local args = { ... }
  local ok, raised = pcall(function() return everyCrash(unpack(args)) end)
  assert.is_false(ok, "nothing was found")
  return blame.text(raised)
end

local function matches(pattern, text)
  if not text:find(pattern) then error(("no '%s' in:\n%s"):format(pattern, text), 2) end
end

describe("everyCrash", function()
  it("passes one that repeats with a key", function()
    local ran = everyCrash(scenario("idempotent = true", plain, true))
    assert.is_true(ran.commits > 8)
    assert.is_true(ran.runs > ran.commits + 8)
    assert.equal(1, ran.started)
  end)

  it("passes one that looks up what it may have started, after its delay", function()
    everyCrash(scenario("visibilityDelay = 40", plain .. lookUp, false))
  end)

  it("passes one that can do neither: it leaves the start to a person, and starts no second", function()
    everyCrash(scenario("", plain, false))
  end)

  it("catches one that claims to be repeatable where the outside knows no keys", function()
    local text = caught(scenario("idempotent = true", plain, false))
    matches("crash_spec.lua:%d+: everyCrash: died in call 1 %(POST https://jobs.test/jobs was processed, its answer never came%): ", text)
    matches("2 external jobs where a run without a death starts 1", text)
    matches("\n  its journal:\n    00:00:00.000  executeBackup          lost, sent POST https://jobs.test:443: the runtime ended", text)
    matches("POST https://jobs.test/jobs\n    %-%- died %-%-\n    00:00:00.000  POST https://jobs.test/jobs", text)
    matches("\n  again: everyCrash%({ only = \"call 1 after\" }", text)
    matches("\n  1 of %d+ deaths went wrong", text)
  end)

  it("plays one step again by its name", function()
    local wrong = scenario("idempotent = true", plain, false)
    matches("died in call 1 %(POST https://jobs.test/jobs was processed", caught({ only = "call 1 after" }, wrong))
    assert.equal(2, everyCrash({ only = "call 1 before" }, scenario("idempotent = true", plain, true)).runs)
    matches("there is no step 'call 99 after'", caught({ only = "call 99 after" }, wrong))
  end)

  it("catches one that looks up before what it sent can be seen", function()
    local early = lookUp:gsub("local reply", "local early = true\n  local reply", 1)
    local text = caught(scenario("visibilityDelay = 40", plain .. early:gsub("if reply.status == 404 then return ServiceResponse.success { found = false } end",
      "if reply.status == 404 then return ServiceResponse.success { found = false } end"):gsub("jobs%?key=\" .. r.uuid", "jobs?key=other\""), false))
    matches("2 external jobs", text)
  end)

  it("catches one that saves its key too late, and passes it once it saves in time", function()
    local late = [[
      function provider.executeBackup(b, r)
        r:setConfigProperty("key", uuid.new())
        %s
        r.externalId, r.status = post(r:getConfigProperty("key")), "IN_PROGRESS"
      end
      function provider.recoverBackupResult(r)
        local key = r:getConfigProperty("key")
        local reply = key and http.get("https://jobs.test/jobs?key=" .. key)
        if not reply or reply.status == 404 then return ServiceResponse.success { found = false } end
        r.externalId = reply:json().id
        return true
      end
    ]]
    local text = caught(scenario("visibilityDelay = 5", late:format(""), false))
    matches("died in call 1 %(POST https://jobs.test/jobs was processed", text)
    matches("also: died in call 1 %(POST https://jobs.test/jobs had left, and was processed 4 s later%): 2 external jobs", text)
    matches("2 external jobs", text)
    everyCrash(scenario("visibilityDelay = 5", late:format("r:save()"), false))
  end)

  it("catches one that starts two without any death, unless that is what is meant", function()
    local twice = "function provider.executeBackup(b, r) post(r.uuid .. '-1') r.externalId, r.status = post(r.uuid), 'IN_PROGRESS' end\n"
    matches("everyCrash: without a death: 2 external jobs of 1 results", caught(scenario("idempotent = true", twice, true)))
    everyCrash({ jobs = 2 }, scenario("idempotent = true", twice, true))
  end)

  it("catches one that leaves behind what it was to delete", function()
    -- It deletes what it remembers to have started: after a restart that is nothing.
    local forgetful = "local mine = {}\n" .. plain .. [[
      local execute, delete = provider.executeBackup, provider.deleteBackupResult
      function provider.executeBackup(b, r) execute(b, r) mine[r.uuid] = true end
      function provider.deleteBackupResult(r) return not mine[r.uuid] or delete(r) end
    ]]
    matches("1 external job is left at the end, where a run without a death leaves 0", caught(scenario("idempotent = true", forgetful, true)))
  end)

  it("catches one whose cancel does not reach the outside, and which takes what has ended for cancelled", function()
    local hooks = plain .. [[
      function provider.cancelBackup(r)
        if %s then return true end
        r:setConfigProperty("asked", true)
        r:save()
        return http.post("https://jobs.test/jobs/" .. r.externalId .. "/cancel").status < 300
      end
      function provider.refreshBackupResult(r)
        local state = http.get("https://jobs.test/jobs/" .. r.externalId):json().state
        if state ~= "running" then r.status = r.status == "CANCEL_REQUESTED" and "CANCELLED" or "SUCCEEDED" end
      end
    ]]
    local function cancelled(of)
      return function()
        outside(true)
        assert(test.provider("p", head:format("idempotent = true") .. hooks:format(of) .. "return provider"))
        local result = run.create({ provider = "p" }):run()
        result:cancel()
        assert.result(result:wait()).cancelled()
      end
    end
    everyCrash(cancelled "false")
    matches("0 external jobs ended as cancelled, where a run without a death has 1", caught(cancelled 'r:getConfigProperty("asked")'))
  end)

  it("catches one that never ends after a death", function()
    local stuck = [[
      function provider.executeBackup(b, r) r.externalId, r.status = post(r.uuid), 'IN_PROGRESS' memory = nil end
    ]]
    local text = caught(scenario("idempotent = true, timeout = 3600", stuck:gsub("memory = nil", "") .. [[
      local mine = {}
      local execute, refresh = provider.executeBackup, provider.refreshBackupResult
      function provider.executeBackup(b, r) execute(b, r) mine[r.uuid] = true end
      function provider.refreshBackupResult(r) if mine[r.uuid] then refresh(r) end end
    ]], true))
    matches("needs attention %(overdue%), which nobody has to give it", text)
  end)

  it("bears deaths in a schedule's fire, in a cancel, and in several runs", function()
    local cancels = plain .. "function provider.cancelBackup(r) return http.post('https://jobs.test/jobs/' .. r.externalId .. '/cancel').status < 300 end\n" .. [[
      local refresh = provider.refreshBackupResult
      function provider.refreshBackupResult(r)
        if http.get("https://jobs.test/jobs/" .. r.externalId):json().state == "cancelled" then r.status = "CANCELLED" else refresh(r) end
      end
    ]]
    local ran = everyCrash({ jobs = 2 }, function()
      local jobs = outside(true)
      assert(test.provider("p", head:format("idempotent = true") .. cancels .. "return provider"))
      local backup = run.create { provider = "p", schedule = "@every 10m" }
      test.clock:advance(610)
      local fired = backup:results()
      assert.equal(1, #fired)
      assert.result(fired[1]:wait()).succeeded()
      local second = backup:run()
      second:cancel()
      assert.result(second:wait()).cancelled()
      assert.equal(2, #jobs:all())
    end)
    assert.equal(2, ran.started)
  end)

  it("says so where nothing is counted, nothing is run, or something was made before", function()
    matches("nothing says what a start is", caught(function()
      assert(test.provider("q", "local provider = Provider { apiVersion = 1, code = 'q', name = 'Q', version = '1' }\n" ..
        "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end\nreturn provider"))
      run.backup { provider = "q" }
    end))
    matches("nothing was run in it", caught(function() mock.jobs() end))
    matches("everyCrash takes a function", caught {})
    matches("everyCrash: no 'olny'; there are: all, jobs, only, person, settings", caught({ olny = "" }, function() end))
    mock.jobs()
    matches("this test has made something before it", caught(function() end))
  end)

  it("raises what the scenario raises without a death as it is", function()
    matches("^[^\n]*crash_spec.lua:%d+: my own$", caught(function() error("my own") end))
  end)
end)
