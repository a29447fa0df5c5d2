-- Bad input gets a clear error and loses nothing.
local support = require "support"

local header = "local p = Provider{ apiVersion = 1, code = 'p', name = 'p', version = '1' }\n"
local execute = "function p.executeBackup() end\n"

describe("a provider that", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function refused(text)
    local ok, err = rt:source("p", text)
    assert.is_nil(ok)
    assert.equal("provider", err.code)
    return err.message
  end

  it("does not compile is refused with file and line", function()
    local message = refused(header .. "function p.executeBackup( end\nreturn p")
    assert.matches("p%.lua:2", message)
  end)

  it("raises while it loads is refused with file and line", function()
    assert.matches("p%.lua:2.*boom", refused(header .. "error('boom')\nreturn p"))
  end)

  it("does not declare itself is refused", function() assert.matches("Provider", refused("return {}")) end)

  it("returns nothing is refused", function() assert.matches("return", refused(header .. execute)) end)

  it("misspells a hook is refused with the nearest name", function()
    assert.matches("executeBackups.*did you mean 'executeBackup'", refused(header .. execute .. "function p.executeBackups() end\nreturn p"))
    assert.matches("did you mean 'refreshBackupResult", refused(header .. execute .. "function p.refreshBackupResutl() end\nreturn p"))
  end)

  it("has a hook that is no function is refused", function()
    assert.matches("must be a function", refused(header .. execute .. "p.cancelBackup = true\nreturn p"))
  end)

  it("misspells a declaration is refused with the nearest key", function()
    assert.matches("did you mean 'refreshInterval'", refused("local p = Provider{ apiVersion = 1, code = 'p', name = 'p', version = '1', refreshIntervall = 5 }\n" .. execute .. "return p"))
  end)

  it("uses an undefined global is refused with file and line", function()
    assert.matches("p%.lua:3.*lgo", refused(header .. "function p.executeBackup()\nlgo.info('x') end\nreturn p"))
  end)

  it("writes an undeclared global is refused", function()
    assert.matches("p%.lua:3.*total", refused(header .. "function p.executeBackup()\ntotal = 1 end\nreturn p"))
  end)

  it("is of an API version that we do not know is refused", function()
    assert.matches("apiVersion", refused("local p = Provider{ apiVersion = 99, code = 'p', name = 'p', version = '1' }\n" .. execute .. "return p"))
  end)

  it("has another code than its file is refused", function()
    assert.matches("must be equal", refused("local p = Provider{ apiVersion = 1, code = 'q', name = 'p', version = '1' }\n" .. execute .. "return p"))
  end)

  it("has many faults is told how many, and all of them by provider.check", function()
    local text = "local p = Provider{ apiVersion = 1, code = 'p', versoin = '1' }\n" .. execute .. "function p.cancelBackups() end\nreturn p"
    assert.matches("and %d more", refused(text))
    local path = support.folder() .. "/p.lua"
    local file = io.open(path, "w")
    file:write(text)
    file:close()
    local checked = rt:ask("provider.check", { path = path })
    local messages = {}
    for i, finding in ipairs(checked.findings) do messages[i] = finding.message end
    local findings = table.concat(messages, "\n")
    assert.is_false(checked.ok)
    for _, word in ipairs{ "versoin", "cancelBackups", "name must be" } do assert.is_truthy(findings:find(word, 1, true), findings) end
  end)

  it("is doubted is live all the same, and said to be", function()
    local text = "function provider.executeBackup(b, r) if b.name == 'never' and r.statu then return false end r.status = 'SUCCEEDED' end"
    rt:provider("p", text)
    assert.equal("SUCCEEDED", rt:run("p").status)
    local shown = rt:ask("provider.show", { provider = "p" })
    assert.is_nil(shown.warning)
    assert.equal("unknown_field", shown.findings[1].rule)
    assert.equal("warning", shown.findings[1].severity)
    assert.matches("has no field 'statu'", rt:ask("provider.ls")[1].note)
  end)

  it("loads for ever is refused", function() assert.is_string(refused("while true do end")) end)

  it("reaches out while it loads is refused", function() assert.is_string(refused(header .. execute .. "sleep(1)\nreturn p")) end)

  it("is refused does not replace the one that works", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
    refused("this is no Lua")
    assert.equal("SUCCEEDED", rt:run("p").status)
    assert.matches("p%.lua:1", rt:ask("provider.show", { provider = "p" }).warning)
  end)

  it("is refused is listed with its error if it is a file", function()
    local folder = support.folder()
    local file = io.open(folder .. "/broken.lua", "w")
    file:write("this is no Lua")
    file:close()
    rt = assert(support.open{ providers = { folder } })
    local row = rt:ask("provider.ls")[1]
    assert.equal("broken", row.code)
    assert.matches("broken%.lua:1", row.error)
    assert.matches("broken%.lua:1", rt:refused("backup.create", { name = "b", provider = "broken" }).message)
  end)

  it("answers a number is told so, with the hook", function()
    rt:provider("p", "function provider.executeBackup() return 42 end")
    assert.matches("executeBackup: answered the number 42", rt:run("p").errorMessage)
  end)

  it("is unknown is named with the nearest one", function()
    rt:provider("restic", support.starts)
    local err = rt:refused("backup.create", { name = "b", provider = "resitc" })
    assert.same({ "not_found", 4 }, { err.code, err.exit })
    assert.matches("resitc.*restic", err.message)
  end)

  it("cannot find its program says which package has it", function()
    rt:provider("p", "function provider.executeBackup() process.run{ argv = { 'restic-not-here' } } end", "needs = { exec = { 'restic-not-here' } }")
    local result = rt:run("p")
    assert.matches("restic%-not%-here is not installed", result.errorMessage)
    assert.same({ "FAILED" }, { result.status, result.attention }) -- it cannot have started: nothing to look at
    assert.is_nil(result.sentDate)
  end)

  it("cannot find a program that we know says which package has it", function()
    rt:provider("p", [[function provider.executeBackup() process.run{ argv = { "borg" } } end]], "needs = { exec = { 'borg' } }")
    assert.matches("Debian package borgbackup", rt:run("p").errorMessage)
  end)

  it("cannot reach its external system is not judged by it", function()
    rt:provider("p", support.starts .. "function provider.refreshBackupResult() http.get('http://127.0.0.1:1/') end", "needs = { http = { 'http://127.0.0.1:1' } }")
    rt:run("p")
    rt:advance(65)
    assert.equal("IN_PROGRESS", rt:result(1).status)
    assert.matches("127%.0%.0%.1", rt:result(1).statusMessage)
  end)
end)

describe("a request", function()
  local rt
  before_each(function()
    rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED' end")
  end)
  after_each(support.clean)

  it("of an unknown name is refused with the nearest", function()
    local err = rt:refused("backup.creat", {})
    assert.matches("backup%.create", err.message)
  end)

  it("with unknown, missing and wrong arguments is refused with all of them, per field", function()
    local err = rt:refused("backup.create", { nme = "b", config = "x", refreshInterval = "soon" })
    assert.equal("invalid", err.code)
    assert.matches("did you mean 'name'", err.fields.nme)
    assert.matches("required", err.fields.provider)
    assert.is_string(err.fields.config)
    assert.is_string(err.fields.refreshInterval)
  end)

  it("that is no JSON is refused", function()
    local id, err = support.raw.submit(rt.handle, "backup.ls", "{")
    assert.is_nil(id)
    assert.equal("invalid", err.code)
  end)

  for _, request in ipairs{ { "backup.show", { backup = "x" } }, { "backup.run", { backup = "x" } }, { "result.show", { result = "99" } }, { "result.cancel", { result = "99" } },
                            { "result.rm", { result = "99" } }, { "result.extract", { result = "99", destination = "/x" } }, { "connection.show", { connection = "x" } },
                            { "backup.create", { name = "b", provider = "p", server = "x" } }, { "backup.create", { name = "b", provider = "p", cloud = "x" } },
                            { "backup.create", { name = "b", provider = "p", connection = "x" } } } do
    it(request[1] .. " of what is not there says so", function()
      local err = rt:refused(request[1], request[2])
      assert.same({ "not_found", 4 }, { err.code, err.exit })
    end)
  end

  for what, name in pairs{ ["empty"] = "", ["a number"] = "17", ["a path"] = "a/b", ["too long"] = ("x"):rep(101), ["like an option"] = "-x", ["with a control character"] = "a\nb" } do
    it("to create something with a name that is " .. what .. " is refused", function()
      assert.equal("invalid", rt:refused("backup.create", { name = name, provider = "p" }).code)
    end)
  end

  it("to create something whose name is taken is refused", function()
    rt:create("p")
    local err = rt:refused("backup.create", { name = "b", provider = "p" })
    assert.equal("exists", err.code)
  end)

  it("takes a name, an id or a unique prefix of a uuid", function()
    local backup = rt:create("p")
    for _, ref in ipairs{ "b", tostring(backup.id), backup.uuid, backup.uuid:sub(1, 8) } do assert.equal("b", rt:ask("backup.show", { backup = ref }).name) end
  end)

  it("for results of an unknown status names the nearest", function()
    assert.matches("did you mean SUCCEEDED", rt:refused("result.ls", { status = "SUCCEDED" }).message)
  end)

  it("with a refresh interval out of range is refused", function()
    for _, seconds in ipairs{ 0, -1, 0.01, 90000 } do
      assert.equal("invalid", rt:refused("backup.create", { name = "b", provider = "p", refreshInterval = seconds }).code)
    end
  end)

  it("to remove what is in use is refused", function()
    rt:ask("cloud.add", { name = "c" })
    rt:ask("server.add", { name = "s", cloud = "c" })
    rt:ask("connection.add", { name = "v", provider = "p" })
    rt:create("p", { server = "s", connection = "v" })
    for _, request in ipairs{ { "cloud.rm", { cloud = "c" } }, { "server.rm", { server = "s" } }, { "connection.rm", { connection = "v" } } } do
      assert.is_true(rt:refused(request[1], request[2]).exit == 5, request[1])
    end
  end)

  it("while the runtime closes is refused", function()
    rt:create("p")
    support.raw.drain(rt.handle)
    local id, err = rt:submit("backup.run", { backup = "b" })
    if id then local _, later = rt:await(id) err = later end
    assert.equal("closed", err.code)
  end)
end)

describe("opening", function()
  after_each(support.clean)

  it("with an unknown setting names the nearest", function()
    local rt, err = support.open{ data_dri = "/x" }
    assert.is_nil(rt)
    assert.matches("data_dir", err.message)
  end)

  it("with a value that does not fit says what fits", function()
    local rt, err = support.open{ store = "postgres" }
    assert.is_nil(rt)
    assert.matches("sqlite|memory", err.message, 1, true)
  end)

  it("a data directory that another holds is refused", function()
    local first = support.openLasting()
    local second, err = support.open{ store = "sqlite", data_dir = first.settings.data_dir }
    assert.is_nil(second)
    assert.same({ "locked", 7 }, { err.code, err.exit })
  end)

  it("a data directory that cannot be written is refused", function()
    local file = support.folder() .. "/file"
    io.open(file, "w"):close()
    local rt, err = support.open{ store = "sqlite", data_dir = file .. "/data" }
    assert.is_nil(rt)
    assert.equal("io", err.code)
    assert.is_truthy(err.message:find(file, 1, true))
  end)

  it("a damaged database is refused, and nothing of it is changed", function()
    local folder = support.folder()
    local file = io.open(folder .. "/orrery.db", "w")
    file:write(("this is no database "):rep(500))
    file:close()
    local rt, err = support.open{ store = "sqlite", data_dir = folder }
    assert.is_nil(rt)
    assert.equal("corrupt", err.code)
    assert.matches("this is no database", io.open(folder .. "/orrery.db"):read("*a"))
  end)

  it("a newer database is refused, and nothing of it is changed", function()
    local first = support.openLasting()
    first:provider("p", support.starts)
    first:create("p")
    first:close()
    local path = first.settings.data_dir .. "/orrery.db"
    local file = io.open(path, "r+b")
    file:seek("set", 60) -- SQLite's user_version, which is the number of the schema
    file:write("\0\0\39\15")
    file:close()
    local before = io.open(path, "rb"):read("*a")
    local rt, err = support.open{ store = "sqlite", data_dir = first.settings.data_dir }
    assert.is_nil(rt)
    assert.equal("newer", err.code)
    assert.is_true(before == io.open(path, "rb"):read("*a"))
  end)

  it("two runtimes in one process works: they know nothing of each other", function()
    local one, two = support.openLasting(), support.openLasting()
    one:provider("p", support.starts)
    two:provider("p", support.starts)
    one:create("p")
    assert.same({}, two:names("backup.ls"))
    assert.equal("b", two:create("p").name)
  end)
end)
