-- external: what providers share, in the provider's own sandbox.
local support = require "support"

describe("external", function()
  after_each(support.clean)

  local function runs(body)
    local rt = support.open()
    rt:provider("p", [[
      function provider.executeBackup(backup, backupResult)
        local ok, err = pcall(function()
          ]] .. body .. [[
        end)
        spy("raised", not ok and tostring(type(err) == "table" and err.message or err) or "nothing")
        backupResult.status = "SUCCEEDED"
      end]])
    rt:ask("backup.create", { name = "b", provider = "p" })
    local result = rt:ask("backup.run", { backup = "b" })
    rt:advance(20)
    assert.equal("nothing", rt:spied("raised")[1])
    return rt, rt:ask("result.show", { result = result.uuid, journal = true })
  end

  it("asks again, soon at first and then every hour", function()
    local rt = runs [[
      for _, attempt in ipairs { 1, 3, 9, 50 } do
        local answer = external.lookAgain("not yet", { attempt = attempt })
        spy("again", { msg = answer.msg, after = answer.after })
      end]]
    local seen = rt:spied("again")
    assert.same({ 5, 10, 3600, 3600 }, { seen[1].after, seen[2].after, seen[3].after, seen[4].after })
    assert.equal("not yet", seen[1].msg)
  end)

  it("takes the answer of a deletion for what it is", function()
    local rt = runs [[
      for _, status in ipairs { 204, 404, 409, 429, 503, 403 } do
        local answer, msg = external.deletion({ status = status }, "Acme", "the snapshot 7", "said no")
        spy("deletion", { answer = type(answer) == "table" and "retry " .. answer.msg or tostring(answer), msg = msg })
      end]]
    local answers = {}
    for i, one in ipairs(rt:spied("deletion")) do answers[i] = one.answer .. ", " .. tostring(one.msg) end
    assert.same({ "true, the snapshot 7 is deleted", "true, the snapshot 7 was gone already", "retry said no, nil", "retry said no, nil", "retry said no, nil",
      "false, Acme keeps the snapshot 7: said no" }, answers)
  end)

  it("moves dates of another clock to ours, and keeps what took how long", function()
    local rt = runs [[
      local begun = backupResult.startDate
      sleep(10)
      external.dates(backupResult, time.now() + 3600000, time.now() + 3603000) -- an hour ahead of us; it took three seconds
      spy("ahead", { moved = backupResult.startDate - begun, took = backupResult.endDate - backupResult.startDate })
      external.dates(backupResult, time.now() - 2000, time.now() - 500)
      spy("same", { took = backupResult.endDate - backupResult.startDate })]]
    assert.same({ moved = 0, took = 3000 }, rt:spied("ahead")[1])
    assert.same({ took = 1500 }, rt:spied("same")[1])
  end)

  it("tells a word that nobody knows once, and leaves the status as it is", function()
    local rt, result = runs [[
      backupResult.status = "IN_PROGRESS"
      external.unknownStatus(backupResult, "Acme", "WEIRD")
      external.unknownStatus(backupResult, "Acme", "WEIRD")
      spy("status", backupResult.status)]]
    assert.equal("IN_PROGRESS", rt:spied("status")[1])
    local told = 0
    for _, event in ipairs(result.events) do if (event.message or ""):find("Acme: WEIRD", 1, true) then told = told + 1 end end
    assert.equal(1, told)
  end)
end)
