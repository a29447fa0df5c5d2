-- Schedules: 5-field cron, @daily and friends, @every, in a zone per schedule; nothing lost, nothing twice.
local support = require "support"

-- The virtual clock begins here: 2026-01-01T00:00:00Z, a Thursday.
local beginning = 1767225600

describe("a schedule", function()
  local rt
  before_each(function()
    rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup(b, r) spy('at', time.now()) r.status = 'SUCCEEDED' end")
  end)
  after_each(support.clean)

  local function instants()
    local seconds = {}
    for i, at in ipairs(rt:spied("at")) do seconds[i] = at / 1000 - beginning end
    return seconds
  end

  local function fires(schedule, zone, hours)
    rt:create("p", { schedule = schedule, timeZone = zone })
    rt:advance(hours * 3600)
    local seen = instants()
    for i, at in ipairs(seen) do seen[i] = at / 3600 end
    return seen
  end

  it("fires by cron", function() assert.same({ 2.5, 26.5, 50.5 }, fires("30 2 * * *", nil, 72)) end)
  it("fires by @hourly", function() assert.same({ 1, 2, 3 }, fires("@hourly", nil, 3)) end)
  it("fires by @daily", function() assert.same({ 24, 48 }, fires("@daily", nil, 50)) end)
  it("fires by @weekly, on Sundays", function() assert.same({ 72 }, fires("@weekly", nil, 7 * 24)) end)
  it("fires by @every, from when it was set", function() assert.same({ 0.25, 0.5, 0.75 }, fires("@every 15m", nil, 0.9)) end)
  it("fires by steps and lists", function() assert.same({ 6, 9, 12, 30 }, fires("0 6-12/3 * * *", nil, 30.5)) end)

  it("fires in its zone", function()
    assert.same({ 7, 31 }, fires("0 2 * * *", "America/New_York", 48)) -- 02:00 there is 07:00 UTC in January
  end)

  it("has UTC as its zone if none is given", function()
    assert.equal("UTC", rt:create("p", { schedule = "@daily" }).timeZone)
  end)

  it("makes a result per fire, with the instant it was fired for and the trigger schedule", function()
    rt:create("p", { schedule = "@hourly" })
    rt:advance(2 * 3600)
    local results = rt:ask("result.ls", { backup = "b" })
    assert.equal(2, #results)
    assert.same({ (beginning + 7200) * 1000, "schedule" }, { results[1].scheduledDate, results[1].trigger })
    assert.same({ (beginning + 3600) * 1000, "schedule" }, { results[2].scheduledDate, results[2].trigger })
  end)

  it("tells its meaning and next fires at creation", function()
    local reply = rt:ask("backup.create", { name = "b", provider = "p", schedule = "0 2 * * *", timeZone = "Europe/Berlin" })
    assert.is_string(reply.schedule.meaning)
    assert.equal((beginning + 3600) * 1000, reply.schedule.next[1])
    assert.equal(reply.schedule.next[1], rt:ask("backup.show", { backup = "b" }).nextFireDate)
  end)

  it("tells what its windows leave out, and what the clock does to it", function()
    local told = rt:ask("schedule.describe", { schedule = "*/30 2 * * *", timeZone = "Europe/Berlin", blackouts = "Thu,Fri; 12-24 08:00-24:00", count = 2 })
    assert.equal("at 02:00 and 02:30 every day, but not on Thursday and Friday; every year on 24 December from 08:00 to 24:00", told.meaning)
    assert.same({ (beginning + 2 * 86400 + 3600) * 1000, (beginning + 2 * 86400 + 5400) * 1000 }, told.next)
    assert.equal(1, #told.warnings)
    assert.matches("02:00 does not exist on 2026%-03%-29 in Europe/Berlin", told.warnings[1])
    assert.matches("H picks by the Backup's uuid", rt:ask("schedule.describe", { schedule = "H 2 * * *" }).warnings[1])
    assert.equal(0, #rt:ask("backup.create", { name = "b", provider = "p", schedule = "H 2 * * *" }).schedule.warnings)
    assert.matches("never fires: every instant of it lies in the blackouts",
      rt:refused("schedule.describe", { schedule = "0 12 * * *", blackouts = "11:00-13:00" }).message)
  end)

  it("skips a fire while an earlier result still runs, and says so", function()
    rt:provider("slow", support.starts .. "function provider.refreshBackupResult(r) if time.now() > " .. (beginning + 9000) .. "000 then r.status = 'SUCCEEDED' end end")
    rt:create("slow", { schedule = "@hourly" })
    rt:advance(3 * 3600 + 60)
    local results = rt:ask("result.ls", { backup = "b" })
    assert.equal(2, #results)
    assert.equal(1, #rt:events("schedule.skipped"))
  end)

  it("is not held up by a result that needs attention: that counts as no overlap", function()
    rt:provider("p", "function provider.executeBackup(b, r) process.run{ argv = { 'true' } } error('boom') end", "needs = { exec = { 'true' } }")
    rt:create("p", { schedule = "@hourly" })
    rt:advance(2 * 3600 + 10)
    assert.equal(2, #rt:ask("result.ls", { backup = "b" }))
  end)

  it("does not fire while it is paused, and does not make up for it", function()
    rt:create("p", { schedule = "@hourly" })
    rt:advance(3600)
    rt:ask("backup.pause", { backup = "b" })
    rt:advance(5 * 3600)
    rt:ask("backup.resume", { backup = "b" })
    rt:advance(3600)
    assert.same({ 3600, 7 * 3600 }, instants())
  end)

  it("may begin paused", function()
    rt:create("p", { schedule = "@hourly", paused = true })
    rt:advance(7200)
    assert.same({}, instants())
  end)

  it("goes on after a restart, with neither a lost nor a doubled fire", function()
    local lasting = support.openLasting()
    lasting:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
    lasting:create("p", { schedule = "@hourly" })
    lasting:advance(2 * 3600 + 1)
    lasting:reopen()
    lasting:advance(3600)
    local dates = {}
    for i, result in ipairs(lasting:ask("result.ls", { backup = "b" })) do dates[i] = result.scheduledDate / 1000 - beginning end
    assert.same({ 10800, 7200, 3600 }, dates)
  end)

  it("fires once for what was missed while nothing ran, and tells what was skipped", function()
    local settings = { clock = "real", store = "sqlite", data_dir = support.folder() }
    -- Until there are more than so many results. A machine that is busy for more than a second misses fires while it runs, too.
    local function runUntilMore(than)
      local real = assert(support.open(settings))
      real:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
      if not real:request("backup.show", { backup = "b" }) then real:create("p", { schedule = "@every 1s" }) end
      local results, ends = {}, real:now() + 60000
      while #results <= than and real:now() < ends do results = real:ask("result.ls", { backup = "b" }) end
      assert.is_true(#results > than)
      local events = real:ask("events", { limit = 10000 }).events
      real:close()
      local missed, newest = 0, results[1].scheduledDate -- newest first
      for _, event in ipairs(events) do
        if event.kind == "schedule.skipped" and event.data.first < newest then missed = missed + event.data.count end
      end
      return results, missed
    end
    local before, earlier = runUntilMore(0)
    os.execute("sleep 3")
    local after, missed = runUntilMore(#before)
    assert.is_true(missed > earlier)
    local span = (after[1].scheduledDate - after[#after].scheduledDate) / 1000 -- an instant a second
    assert.equal(span + 1, #after + missed)
  end)

  it("does not fire in a command's own runtime", function()
    local command = assert(support.open{ role = "command" })
    command:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
    command:create("p", { schedule = "@hourly" })
    command:advance(7200)
    assert.same({}, command:ask("result.ls", { backup = "b" }))
  end)

  it("is described without a Backup", function()
    local described = rt:ask("schedule.describe", { schedule = "*/20 * * * *", count = 3 })
    local next = {}
    for i, at in ipairs(described.next) do next[i] = at / 1000 - beginning end
    assert.same({ 1200, 2400, 3600 }, next)
  end)

  it("warns of day-of-month with day-of-week: it fires on either", function()
    assert.equal(1, #rt:ask("schedule.describe", { schedule = "0 0 13 * 5" }).warnings)
  end)

  for text, what in pairs{ ["61 * * * *"] = "61", ["* * *"] = "field", ["0 2 * * xyz"] = "xyz", ["@evry 5m"] = "@every", ["0 0 30 2 *"] = "never" } do
    it("`" .. text .. "` is refused with the position of the fault", function()
      local err = rt:refused("backup.create", { name = "b", provider = "p", schedule = text })
      assert.equal("invalid", err.code)
      assert.is_truthy(err.message:find(what, 1, true), err.message)
    end)
  end

  it("names the column of the fault", function()
    assert.matches("column 3", rt:refused("backup.create", { name = "b", provider = "p", schedule = "0 25 * * *" }).message)
  end)

  it("in an unknown zone is refused", function()
    local err = rt:refused("backup.create", { name = "b", provider = "p", schedule = "@daily", timeZone = "Europe/Berln" })
    assert.equal("invalid", err.code)
    assert.matches("Europe/Berln", err.message)
  end)

  it("is necessary for a zone", function()
    assert.equal("invalid", rt:refused("backup.create", { name = "b", provider = "p", timeZone = "Europe/Berlin" }).code)
  end)

  -- What a skip tells programs, newest last: reasons.
  local function skips()
    local found = {}
    for _, event in ipairs(rt:ask("events", { backup = "b" }).events) do
      if event.kind == "schedule.skipped" then table.insert(found, event.data) end
    end
    return found
  end

  describe("with an overlap policy", function()
    before_each(function()
      rt:provider("slow", support.starts .. "function provider.refreshBackupResult(r) if time.now() > r.startDate + 90 * 60000 then r.status = 'SUCCEEDED' end end", "refreshInterval = 60")
    end)

    local function dates()
      local seen = {}
      for i, result in ipairs(rt:ask("result.ls", { backup = "b" })) do seen[i] = (result.scheduledDate / 1000 - beginning) / 3600 end
      table.sort(seen)
      return seen
    end

    it("skip: a fire that meets a running result is skipped", function()
      rt:create("slow", { schedule = "@hourly", overlapPolicy = "skip" })
      rt:advance(4.5 * 3600)
      assert.same({ 1, 3 }, dates())
      assert.same({ "overlap", "overlap" }, { skips()[1].reason, skips()[2].reason })
      assert.equal((beginning + 7200) * 1000, skips()[1].first)
    end)

    it("bufferOne: it begins when the running one has ended", function()
      rt:create("slow", { schedule = "@hourly", overlapPolicy = "bufferOne" })
      rt:advance(2.2 * 3600)
      assert.equal((beginning + 7200) * 1000, rt:ask("backup.show", { backup = "b" }).bufferedDate)
      rt:advance(0.4 * 3600)
      assert.same({ 1, 2 }, dates())
      assert.is_nil(rt:ask("backup.show", { backup = "b" }).bufferedDate)
    end)

    it("allow: it begins all the same", function()
      rt:create("slow", { schedule = "@hourly", overlapPolicy = "allow" })
      rt:advance(3.1 * 3600)
      assert.same({ 1, 2, 3 }, dates())
    end)
  end)

  it("skips what lies in a blackout, and says until when", function()
    rt:create("p", { schedule = "0 * * * *", blackouts = "02:00-04:00" })
    rt:advance(4 * 3600 + 60)
    assert.same({ 3600, 4 * 3600 }, instants())
    local counted = 0
    for _, skip in ipairs(skips()) do
      counted = counted + skip.count
      assert.same({ "blackout", (beginning + 4 * 3600) * 1000 }, { skip.reason, skip["until"] })
    end
    assert.equal(2, counted)
  end)

  it("comes later by its jitter, for the same instant", function()
    rt:create("p", { schedule = "0 * * * *", jitter = 1800 })
    rt:advance(2 * 3600)
    local result = rt:ask("result.ls", { backup = "b" })[1]
    assert.equal((beginning + 3600) * 1000, result.scheduledDate)
    assert.is_true(instants()[1] > 3600 and instants()[1] < 3600 + 1800)
  end)

  it("lists what comes next", function()
    rt:create("p", { schedule = "0 * * * *", blackouts = "02:00-04:00" })
    local reply = rt:ask("schedule.next", { backup = "b", count = 3 })
    assert.equal("UTC", reply.timeZone)
    assert.is_string(reply.meaning)
    assert.same({ 1, 2, 4 }, { (reply.next[1].instant / 1000 - beginning) / 3600, (reply.next[2].instant / 1000 - beginning) / 3600, (reply.next[3].instant / 1000 - beginning) / 3600 })
    assert.same({ "blackout", 2 }, { reply.next[2].skipped, reply.next[2].count })
  end)

  it("leaves out what somebody wants left out, and says who", function()
    rt:create("p", { schedule = "@hourly" })
    local reply = rt:ask("schedule.skip", { backup = "b", count = 2, requestedBy = "ada" })
    assert.same({ 2, (beginning + 3 * 3600) * 1000 }, { reply.count, reply.next })
    rt:advance(3 * 3600 + 1)
    assert.same({ 3 * 3600 }, instants())
    assert.same({ "requested", "ada", 2 }, { skips()[1].reason, skips()[1].requestedBy, skips()[1].count })
  end)

  it("that is not there, or paused, has nothing to leave out", function()
    rt:create("p", {})
    assert.equal("refused", rt:refused("schedule.skip", { backup = "b" }).code)
    rt:ask("backup.update", { backup = "b", schedule = "@daily" })
    rt:ask("backup.pause", { backup = "b" })
    assert.equal("refused", rt:refused("schedule.skip", { backup = "b" }).code)
  end)

  for what, args in pairs{
    misfirePolicy = { misfirePolicy = "some" }, overlapPolicy = { overlapPolicy = "queue" }, jitter = { jitter = -5 },
    startDeadline = { startDeadline = 1e12 },
  } do
    it("refuses a " .. what .. " that is none, by its name", function()
      args.name, args.provider, args.schedule = "b", "p", "@daily"
      assert.matches(what, rt:refused("backup.create", args).message)
    end)
  end

  it("whose every instant lies in a blackout is refused", function()
    assert.matches("never fires", rt:refused("backup.create", { name = "b", provider = "p", schedule = "0 3 * * *", blackouts = "02:00-04:00" }).message)
  end)
end)
