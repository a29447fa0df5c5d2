-- postgres against tools that exist only here: what the server says, what they write, how they end. Real servers are tried in tests/providers.
local test = require "orrery.test"
local mock, run, clock, everyCrash = test.mock, test.run, test.clock, test.everyCrash
local fault = mock.fault

local root = os.tmpname()
local BIN = "/opt/pg/bin"
local connection = { host = "db.test", username = "backup", password = "geheim-und-lang", binDir = BIN }
local DUMP = { connection = connection, options = { database = "shop", target = root .. "/backups" } }
local CLUSTER = { connection = connection, options = { mode = "cluster", target = root .. "/backups" } }

local function shell(command) return os.execute(command .. " >/dev/null 2>&1") end

-- What is under the folder of the backups, in one text.
local function found()
  local pipe = io.popen("cd " .. root .. "/backups 2>/dev/null && find . -mindepth 1 -maxdepth 1 | sort | tr '\n' ' '")
  local names = pipe:read "*a"
  pipe:close()
  return names
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function option(command, name)
  for _, word in ipairs(command.argv) do
    local key, value = word:match("^%-%-(.-)=(.*)")
    if key == name then return value end
  end
end

describe("postgres", function()
  local psql, tools, asked, about

  -- The tools of both modes: `writes` and `reads` are how the jobs end.
  local function outside(writes, reads)
    shell("rm -rf " .. root .. " && mkdir -p " .. root)
    about, asked, tools = { version = 150003, size = 20 * 2 ^ 20, mayCopy = true, tablespaces = "{}" }, {}, {}
    for _, name in ipairs { "psql", "pg_dump", "pg_restore", "pg_basebackup", "pg_verifybackup", "rm", "du", "ln", "cp", "tar" } do
      tools[name] = mock.process(name)
      if name:find("^pg_") then tools[name]:on("--version", { stdout = name .. " (PostgreSQL) 15.3\n" }) end
    end
    psql = tools.psql
    psql:on("--no-psqlrc --no-password --tuples-only --no-align *", function(command)
      local statement = option(command, "command")
      table.insert(asked, statement)
      if statement == "show server_version" then return { stdout = "15.3 (Debian 15.3-0)\n" } end
      if statement:find("terminate", 1, true) then return { stdout = "t\n" } end
      return { stdout = ('{"version":%d,"size":%d,"mayCopy":%s,"tablespaces":%s}'):format(about.version, about.size, tostring(about.mayCopy), about.tablespaces) }
    end)
    tools.pg_dump:on("--format=custom ...", function(command)
      write(option(command, "file"), "the dump")
      return writes or { lasts = 20 }
    end)
    tools.pg_basebackup:on("...", function(command)
      if command.argv[2] == "--version" then return { stdout = "pg_basebackup (PostgreSQL) 15.3\n" } end
      shell("mkdir -p " .. option(command, "pgdata") .. "/pg_tblspc")
      return writes or { lasts = 20, stdout = { { 1, "pg_basebackup: write-ahead log start point: 0/2000028 on timeline 1\n" }, { 5, "  1024/2048 kB (50%), 0/1 tablespace\n" } } }
    end)
    tools.pg_restore:on("* *", function(command) -- as SQL
      write(option(command, "file"), "select 1;")
      return 0
    end)
    tools.pg_restore:on("--file=/dev/null *", reads or { lasts = 5 })
    tools.pg_restore:on("--list *", { stdout = ";\n; Archive created\n;\n3; 1 2 TABLE a\n4; 5 6 TABLE b\n" })
    tools.pg_verifybackup:on("--quiet *", reads or { lasts = 5 })
    tools.rm:on("-rf --one-file-system -- ...", function(command)
      for i = 5, #command.argv do shell("rm -rf '" .. command.argv[i] .. "'") end
      return 0
    end)
    tools.du:on("--summarize --bytes -- *", { stdout = "4711\t/x\n" })
    tools.ln:on("-sfn -- * *", 0)
  end

  after_each(function() shell("rm -rf " .. root) end)

  it("dumps a database, reads the dump, and removes it", function()
    outside()
    local result = run.create(DUMP):run()
    clock:advance(10)
    assert.equal(8, result:show().sizeInBytes)
    assert.equal("./b-20260101-000000-" .. result.uuid:sub(1, 8) .. ".dump.partial ", found())
    assert.result(result:wait()).succeeded()
    assert.equal("./" .. result.resultArchive .. " ", found())
    assert.same({ 4711, "2 entries, verified", "dump" }, { result.sizeInBytes, result.statusMessage, result.backupType })
    assert.is_true(result:delete())
    assert.equal("", found())
  end)

  it("tells the tools of the server by the environment, and no argument has the password", function()
    outside()
    local result = run.backup(DUMP)
    local env = tools.pg_dump:last("--format=custom ...").env
    assert.same({ "db.test", "5432", "backup", "geheim-und-lang", "shop", "orrery-" .. result.uuid },
      { env.PGHOST, env.PGPORT, env.PGUSER, env.PGPASSWORD, env.PGDATABASE, env.PGAPPNAME })
    for _, tool in pairs(tools) do
      for _, command in ipairs(tool.commands) do assert.is_nil(table.concat(command.argv, " "):find("geheim", 1, true)) end
    end
  end)

  it("copies a cluster with its tablespaces, and says where its log begins", function()
    outside()
    about.tablespaces = '{"16385":"/mnt/fast=er"}'
    local result = run.create(CLUSTER):run()
    clock:advance(10)
    assert.same({ 50, "1 of 2 MiB copied" }, { result:show().progress, result.statusMessage })
    assert.result(result:wait()).succeeded()
    assert.same({ "0/2000028/1", "verified" }, { result.snapshotId, result.statusMessage })
    assert.equal("/mnt/fast\\=er=" .. result.resultPath .. ".partial/tablespaces/16385", option(tools.pg_basebackup:last(), "tablespace-mapping"))
    assert.equal("../../tablespaces/16385", tools.ln:last().argv[4])
  end)

  it("succeeds with a warning where a tool warned", function()
    outside { lasts = 5, stderr = "pg_dump: warning: there are circular foreign-key constraints\npg_dump: hint: and more\n" }
    local result = run.create(DUMP):run():wait()
    assert.result(result).succeededWithWarning()
    assert.equal("there are circular foreign-key constraints", result.statusMessage)
  end)

  for what, case in pairs {
    ["what the server says"] = { "ERROR:  permission denied for table x\n", "permission denied for table x" },
    ["that no space is left"] = { "pg_dump: error: could not write to file: No space left on device\n", "no space is left: " },
    ["that the server has ended the connection"] = { "pg_dump: error: server closed the connection unexpectedly\n", "the server at db.test:5432 ended the connection" },
  } do
    it("fails with " .. what .. ", and leaves nothing", function()
      outside { lasts = 5, code = 1, stderr = case[1] }
      assert.result(run.create(DUMP):run():wait()).failed(case[2])
      assert.equal("", found())
    end)
  end

  it("fails where what was written cannot be read again", function()
    for i, setup in ipairs { DUMP, CLUSTER } do
      if i == 1 then outside(nil, { lasts = 5, code = 1, stderr = "error: could not uncompress data\n" }) end
      local result = run.create { name = "b" .. i, connection = setup.connection, options = setup.options }:run():wait()
      assert.result(result).failed("not verified: could not uncompress data")
      assert.equal("", found())
    end
  end)

  it("ends what a killed tool has left running on the server", function()
    outside { lasts = 5, code = -1, signal = 9 }
    local result = run.create(DUMP):run():wait()
    assert.result(result).failed("pg_dump was ended by signal 9")
    assert.equal("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'orrery-" .. result.uuid .. "'", asked[#asked])
    assert.equal("", found())
  end)

  for phase, seconds in pairs { writing = 10, reading = 25 } do
    it("cancels while it is " .. phase .. ", and leaves nothing", function()
      outside(nil, { lasts = 600 })
      local result = run.create(DUMP):run()
      clock:advance(seconds)
      assert.equal(phase == "writing" and 0 or 1, tools.pg_restore:count "--file=/dev/null *")
      assert.is_true(result:cancel())
      assert.result(result:wait()).cancelled()
      assert.equal("", found())
    end)
  end

  it("halts a creation for what is wrong for certain, and only for that", function()
    outside()
    local function try(name, reply, options)
      if reply then psql:fault("--no-psqlrc ...", reply) end
      local backup, err = run.create { name = name, connection = connection, options = options or DUMP.options }
      return backup, err and err.fields
    end
    local _, fields = try("a", { code = 2, stderr = 'psql: FATAL:  database "shop" does not exist\n' })
    assert.equal("there is no database shop at db.test:5432", fields.database)
    about.mayCopy = false
    _, fields = try("c", nil, CLUSTER.options)
    assert.matches("may not copy a cluster", fields.mode)
    _, fields = try("d", nil, { target = "here", compression = 10 })
    assert.same({ "is required for mode=dump", "must be an absolute path, not 'here'", "must be 0 to 9, not 10" }, { fields.database, fields.target, fields.compression })
    assert(try("e", { code = 2, stderr = "psql: could not connect: Connection refused\n" }))
  end)

  it("waits for a server that is starting, and fails for a password that is wrong", function()
    outside()
    local backup = run.create(DUMP)
    psql:fault("--no-psqlrc ...", { code = 2, stderr = "psql: FATAL:  the database system is starting up\n" })
    assert.result(backup:run():wait()).succeeded()
    psql:fault("--no-psqlrc ...", { code = 2, stderr = 'psql: FATAL:  password authentication failed for user "backup"\n' })
    assert.result(backup:run():wait()).failed("wrong password for the user backup at db.test:5432")
  end)

  it("fails before it begins with tools that are too old, or not there", function()
    outside()
    local backup = run.create(DUMP)
    about.version = 160001
    assert.result(backup:run():wait()).failed("pg_dump 15 is too old for PostgreSQL 16: install postgresql-client-16, or set binDir")
    about.version = 150003
    tools.pg_restore:fault("--version", fault.missing())
    assert.result(backup:run():wait()).failed("pg_restore")
    assert.equal(0, tools.pg_dump:count "--format=custom ...")
  end)

  it("writes nowhere where the folder of earlier backups has gone, and deletes no record", function()
    outside()
    local backup = run.create(DUMP)
    local result = backup:run():wait()
    assert.result(result).succeeded()
    shell("mv " .. root .. "/backups " .. root .. "/unmounted")
    assert.result(backup:run():wait()).failed("is it mounted?")
    local _, err = result:delete()
    assert.matches("is it mounted?", err.message)
    shell("mv " .. root .. "/unmounted " .. root .. "/backups")
    assert.is_true(result:delete())
  end)

  it("hands out what it has read once more", function()
    outside()
    tools.cp:on("-- * *", function(command) write(command.argv[4], "the dump") return 0 end)
    local result = run.create(DUMP):run():wait()
    local copy = result:extract(root .. "/copy.dump")
    assert.same({ 8, 64 }, { copy.sizeInBytes, #copy.sha256 })
    assert.equal(root .. "/out/" .. result.resultArchive .. ".sql", result:extract(root .. "/out/", { format = "sql" }).path)
    local _, err = result:extract(root .. "/x", { format = "tar" })
    assert.matches("the only other format is sql", err.message)
    tools.pg_restore:fault("--file=/dev/null *", { code = 1, stderr = "error: could not uncompress data\n" })
    _, err = result:extract(root .. "/y")
    assert.matches("it is damaged: could not uncompress data", err.message)
  end)

  it("says whether the server lets it in", function()
    outside()
    assert.equal("PostgreSQL 15.3 lets backup in", run.testConnection(connection).msg)
    psql:fault("--no-psqlrc ...", { code = 2, stderr = "psql: FATAL:  no pg_hba.conf entry for host\n" })
    local _, err = run.testConnection(connection)
    assert.matches("has no pg_hba.conf entry for", err.message)
  end)

  for name, setup in pairs { dump = DUMP, cluster = CLUSTER } do
    it("makes one " .. name .. ", whole and read again, wherever the runtime dies", function()
      everyCrash({ jobs = 2 }, function() -- it writes, and reads again
        outside({ lasts = 3 }, { lasts = 2 })
        assert.result(run.backup(setup)).succeeded().deleted()
        assert.equal("", found())
      end)
    end)
  end
end)
