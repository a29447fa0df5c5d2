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
      for _, status in ipairs { 204, 404, 408, 409, 429, 503, 403 } do
        local answer, msg = external.deletion({ status = status, headers = {} }, "Acme", "the snapshot 7", "said no")
        spy("deletion", { answer = type(answer) == "table" and "retry " .. answer.msg or tostring(answer), msg = msg })
      end]]
    local answers = {}
    for i, one in ipairs(rt:spied("deletion")) do answers[i] = one.answer .. ", " .. tostring(one.msg) end
    assert.same({ "true, the snapshot 7 is deleted", "true, the snapshot 7 was gone already", "retry said no, nil", "retry said no, nil", "retry said no, nil", "retry said no, nil",
      "false, Acme keeps the snapshot 7: said no" }, answers)
  end)

  it("asks again what may pass, not before a Retry-After is over, and gives up where it is refused", function()
    local rt = runs [[
      local function unread(reply)
        reply.headers = { ["retry-after"] = reply.after }
        local answer = external.unread(reply, "why")
        spy("unread", (rawget(answer, "retry") and "retry " .. tostring(answer.after) or "halts") .. " " .. answer.msg)
      end
      unread { status = 503, after = "120" }
      unread { status = 429, after = "999999", isRefusal = true }
      unread { status = 409, isRefusal = true }
      unread { status = 200, after = "Wed, 21 Oct 2026 07:28:00 GMT" }
      unread { status = 403, isRefusal = true }]]
    assert.same({ "retry 120 why", "retry 3600 why", "retry nil why", "retry nil why", "halts why" }, rt:spied("unread"))
  end)

  it("says why in one line, in the system's words or in the first of its answer", function()
    local rt = runs [[
      spy("reason", external.reason({ status = 422, body = "{}" }, "Acme", "no space"))
      spy("reason", external.reason({ status = 500, body = "<html>\r\n<body>" }, "Acme"))
      spy("reason", external.reason({ status = 502, body = "" }, "Acme"))
      spy("reason", external.reason({ status = 404, body = "\n  gone\nline 2" }, "Acme", {}))
      spy("reason", external.reason({ status = 404, body = "x" }, "Acme", 17))]]
    assert.same({ "Acme answered 422: no space", "Acme answered 500: <html>", "Acme answered 502: without a word", "Acme answered 404: gone", "Acme answered 404: 17" },
      rt:spied("reason"))
  end)

  it("tells nothing of an answer that says all is well, for that may have secrets", function()
    local rt = runs [[spy("reason", external.reason({ status = 200, body = '{"token":"s3cr3t' }, "Acme"))]]
    assert.same({ "Acme answered 200: what makes no sense" }, rt:spied("reason"))
  end)

  it("takes the option for what an execution is of, else the server's id", function()
    local rt = runs [[
      spy("target", external.target(backupResult, "vm") or "none")
      backup:setConfigProperty("vm", "vm-1")
      spy("target", external.target(backupResult, "vm"))
      spy("target", external.target({ backup = backup, computeServer = { externalId = "vm-2" } }, "other"))]]
    assert.same({ "none", "vm-1", "vm-2" }, rt:spied("target"))
  end)

  -- Where the API of a connection with these fields is, or what is wrong with it.
  local addresses = {
    { {}, "https://api.test/v1" },
    { { serviceUrl = "https://api.test/v1" }, "https://api.test/v1" },
    { { serviceUrl = "http://10.0.0.1:81/x/" }, "http://10.0.0.1:81/x/" },
    { { host = "proxy.test" }, "https://proxy.test" },
    { { host = "proxy.test", port = 8443, serviceUrl = "https://api.test/v1" }, "https://proxy.test:8443" },
    { { host = "[::1]:444" }, "https://[::1]:444" },
    { { host = "10.0.0.1", port = 81, serviceUrl = "http://10.0.0.1:81/x" }, "http://10.0.0.1:81/x" },
    { { host = "proxy.test", serviceUrl = "https://api.test/v2" }, "has the address https://api.test/v2 and the host proxy.test: give it one of them" },
    { { host = "10.0.0.1", port = 82, serviceUrl = "http://10.0.0.1:81/x" }, "has the address http://10.0.0.1:81/x and the host 10.0.0.1:82: give it one" },
    { { port = 8443 }, "has the port 8443 and no host" },
    { { port = 443 }, "https://api.test/v1" },
    { { host = "not a host" }, "the host https://not a host of the connection: " },
  }
  it("knows where an API is by the connection's address or host, and asks where they differ", function()
    local shown = {}
    for i, one in ipairs(addresses) do
      local fields = {}
      for key, value in pairs(one[1]) do fields[#fields + 1] = key .. " = " .. (type(value) == "number" and value or "'" .. value .. "'") end
      shown[i] = "{ " .. table.concat(fields, ", ") .. " }"
    end
    local rt = runs("for _, connection in ipairs { " .. table.concat(shown, ", ") .. [[ } do
        local ok, answer = pcall(external.address, connection, "https://api.test/v1")
        spy("address", ok and answer or answer.code .. ": " .. answer.message)
      end]])
    local found = rt:spied("address")
    for i, one in ipairs(addresses) do
      if one[2]:find("^http") then assert.equal(one[2], found[i]) else assert.truthy(found[i]:find("^invalid: ") and found[i]:find(one[2], 1, true), found[i]) end
    end
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

  it("reads dates as they are written, and takes what is none for not said", function()
    local rt, result = runs [[
      external.dates(backupResult, time.format(time.now() + 1000), json.null)
      sleep(10)
      external.dates(backupResult, "yesterday", time.format(time.now() - 2000))]]
    assert.equal(8000, result.endDate - result.createdDate)
  end)

  it("takes an answer to a start for a no, for an id, or for nothing to go by", function()
    local rt, result = runs [[
      spy("may", external.mayExist(backupResult))
      for _, one in ipairs { { 201, "" }, { 201 }, { 500, "job-1" }, { 302, "job-1" } } do
        local ok, err = pcall(external.started, backupResult, { status = one[1] }, one[2], "why not")
        spy("started", { ok, err })
      end
      spy("refused", { external.started(backupResult, { status = 422, isRefusal = true }, nil, "no such VM") })
      spy("may", external.mayExist(backupResult))
      spy("begun", { external.started(backupResult, { status = 202 }, "job-2", "") })]]
    for _, one in ipairs(rt:spied("started")) do assert.same({ false, "why not" }, one) end
    assert.same({ { false, "no such VM" } }, rt:spied("refused"))
    assert.same({ false, false }, rt:spied("may"))
    assert.same({ { true } }, rt:spied("begun"))
    assert.equal("job-2", result.externalId)
  end)

  it("tells what is new from what was there, and from what is another result's", function()
    local rt = support.open()
    rt:provider("p", [[
      function provider.executeBackup(backup, backupResult)
        backupResult.externalId, backupResult.snapshotId = "job-" .. backupResult.id, "snap-" .. backupResult.id
        external.know(backupResult, { "old" })
        local isNew, isKnown = external.isNew(backupResult)
        spy("new", { isNew("old"), isNew("job-1"), isNew("snap-1"), isNew("job-2"), isNew("snap-9"), isKnown })
        local many = {}
        for i = 1, 501 do many[i] = "id" .. i end
        external.know(backupResult, many)
        isNew, isKnown = external.isNew(backupResult)
        spy("many", { isNew("id1"), isNew("old"), isNew("job-1"), isKnown })
        backupResult.status = "SUCCEEDED"
      end]])
    rt:run("p")
    rt:run("p")
    assert.same({ false, true, true, true, true, true }, rt:spied("new")[1])
    assert.same({ false, false, false, true, true, true }, rt:spied("new")[2])
    assert.same({ true, true, false, false }, rt:spied("many")[2])
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
