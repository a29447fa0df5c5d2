-- postgres: a database (pg_dump, custom format) or a whole cluster (pg_basebackup), kept in a folder of this machine.
--
--   orrery connection add db --provider postgres --set host=db.example.com --set username=backup --set password=@FILE
--   orrery backup create shop --provider postgres --connection db --set database=shop --set target=/srv/backups
--   orrery backup create all --provider postgres --connection db --set mode=cluster --set target=/srv/backups
--
-- docs/postgres.md is the manual: what a user on the server needs, and how to restore. server.lua knows the server and the tools.
--
-- Two jobs make a result: "backup" writes NAME.partial, then "verify" reads all of it. Only what was verified gets its name, so whatever
-- has it is whole. What is started is started by job.start, which finds what was started before: a crash loses nothing and doubles nothing.
-- What was found out about the server when a result was begun is its configuration `postgres`: `of(result)`.
local server = require "server"

local exec = { "cp", "du", "ln", "rm", "tar" }
for _, tool in ipairs { "psql", "pg_dump", "pg_restore", "pg_basebackup", "pg_verifybackup" } do
  for _, place in ipairs { "", "${connection.binDir}/", server.debian .. "/*/bin/" } do exec[#exec + 1] = place .. tool end
end

local provider = Provider {
  apiVersion = 1, code = "postgres", name = "PostgreSQL", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "host", fieldLabel = "Host", required = true, helpText = "a name, an address, or the folder of its Unix socket" },
    { fieldName = "port", fieldLabel = "Port", inputType = "number", defaultValue = 5432 },
    { fieldName = "username", fieldLabel = "User", required = true },
    { fieldName = "password", fieldLabel = "Password", inputType = "password" },
    { fieldName = "sslMode", fieldLabel = "TLS", inputType = "select", choices = { "disable", "prefer", "require", "verify-ca", "verify-full" },
      helpText = "as libpq's sslmode; verify-full if there is a caCert, else prefer" },
    { fieldName = "caCert", fieldLabel = "Certificates to trust", inputType = "textarea", helpText = "PEM, as --set caCert=@FILE; else the system's" },
    { fieldName = "binDir", fieldLabel = "Folder of psql, pg_dump and the others", helpText = "else " .. server.debian .. " and PATH are searched" },
  },
  optionTypes = {
    { fieldName = "mode", fieldLabel = "What to back up", inputType = "select", defaultValue = "dump",
      choices = { { name = "a database, by pg_dump", value = "dump" }, { name = "the cluster, by pg_basebackup", value = "cluster" } } },
    { fieldName = "database", fieldLabel = "Database", helpText = "for mode=cluster only where to log in, postgres if not given" },
    { fieldName = "target", fieldLabel = "Folder for the backups", required = true, createOnly = true },
    { fieldName = "compression", fieldLabel = "Compression of a dump", inputType = "number", helpText = "0 to 9; else as pg_dump likes" },
  },
  refreshInterval = 1,
  timeouts = { refreshBackupResult = 900, deleteBackupResult = 3600, extractBackup = 12 * 3600 },
  needs = { exec = exec, read = { "${option.target}", "${opts.destination}", server.debian }, write = { "${option.target}", "${opts.destination}" } },
}

local function databaseOf(backup) return backup:getConfigProperty("database") or "postgres" end
local function of(result) return result:getConfigProperty("postgres") end
local function partialOf(result) return result.resultPath .. ".partial" end

-- ---- before and at the start ----

function provider.testConnection(connection)
  local version, why, reason = server.ask(connection, "postgres", "show server_version")
  if version then return ServiceResponse.success(nil, "PostgreSQL " .. version:match("%S+") .. " lets " .. connection.username .. " in") end
  if reason.field ~= "database" then return ServiceResponse.error(why) end
  return ServiceResponse.success(nil, "the server lets " .. connection.username .. " in, though there is no database postgres to look at")
end

function provider.validateBackup(backup, config, opts)
  local errors, mode = opts.errors, backup:getConfigProperty("mode")
  local target, level = backup:getConfigProperty("target"), backup:getConfigProperty("compression")
  if target and target:sub(1, 1) ~= "/" then errors.target = "must be an absolute path, not '" .. target .. "'"
  elseif target and (fs.stat(target) or { type = "directory" }).type ~= "directory" then errors.target = target .. " is no folder" end
  if mode == "dump" and not backup:getConfigProperty("database") then errors.database = "is required for mode=dump" end
  if level and (level < 0 or level > 9 or level % 1 ~= 0) then errors.compression = "must be 0 to 9, not " .. level end
  if next(errors) then return { success = false, errors = errors } end
  local about, why, reason = server.examine(backup.connection, databaseOf(backup), mode)
  if about then return { success = true, errors = errors } end
  if reason.field then return { success = false, errors = { [reason.field] = why } } end
  return { success = true, errors = errors, msg = "not checked: " .. why } -- it may be away just now
end

-- Before anything is begun: is all there, and what will the output be called?
function provider.prepareBackupResult(backupResult)
  local backup = backupResult.backup
  local target, mode = backup:getConfigProperty("target"), backup:getConfigProperty("mode")
  if not fs.exists(target) and #backup:results { status = "SUCCEEDED", limit = 1 } > 0 then
    return false, "there is no folder " .. target .. ", and there was one before: is it mounted?"
  end
  local about, why, reason = server.examine(backup.connection, databaseOf(backup), mode)
  if not about and reason.mayPass then return ServiceResponse.retry(why) end
  if not about then return false, why end
  local made, obstacle = server.try(fs.mkdir, target)
  if made == nil then return false, obstacle end
  local begun = time.format(backupResult.createdDate, "%Y%m%d-%H%M%S")
  backupResult.resultArchive = string.format("%s-%s-%s.%s", backup.name, begun, backupResult.uuid:sub(1, 8), mode)
  backupResult.resultPath = target .. "/" .. backupResult.resultArchive
  backupResult.externalId, backupResult.backupType = "orrery-" .. backupResult.uuid, mode
  backupResult:setConfigProperty("postgres", about)
end

-- What writes the output.
local function writer(result)
  local about, partial = of(result), partialOf(result)
  local tool = about.folder .. server.tools[about.mode][1]
  if about.mode == "dump" then
    local level = result.backup:getConfigProperty("compression")
    return { tool, "--format=custom", "--no-password", "--file=" .. partial, level and "--compress=" .. level or nil }
  end
  local argv = { tool, "--pgdata=" .. partial .. "/data", "--format=plain", "--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256",
    "--label=" .. result.externalId, "--progress", "--verbose", "--no-password" }
  for oid, place in pairs(about.tablespaces) do
    argv[#argv + 1] = "--tablespace-mapping=" .. place:gsub("=", "\\=") .. "=" .. (partial .. "/tablespaces/" .. oid):gsub("=", "\\=")
  end
  return argv
end

-- What reads all of it, and says whether it is whole.
local function reader(about, path)
  local tool = about.folder .. server.tools[about.mode][2]
  if about.mode == "dump" then return { tool, "--file=/dev/null", path } end
  return { tool, about.tools == about.major and "--quiet" or "--no-parse-wal", path .. "/data" }
end

function provider.executeBackup(backup, backupResult)
  local options = server.spawn(backup.connection, databaseOf(backup), backupResult.externalId, writer(backupResult))
  options.name = "backup"
  if of(backupResult).mode == "dump" and job.poll("backup").state == "absent" then -- pg_dump keeps the mode of a file that is there
    local _, why = server.try(fs.write, partialOf(backupResult), "", { private = true })
    if why then return false, why end
  end
  local started, why = server.try(job.start, options)
  if not started then return false, why end
end

-- ---- the way, and the end ----

local function showProgress(result)
  local about = of(result)
  if about.mode == "cluster" then
    local done, all = job.tail("backup", 5):match(".*%f[%d](%d+)/(%d+) kB")
    if not done then return end
    result.sizeInBytes, result.statusMessage = tonumber(done) * 1024, string.format("%d of %d MiB copied", done / 1024, all / 1024)
    result.progress = math.min(99, math.floor(100 * done / math.max(1, all)))
    return
  end
  local size, last = (fs.stat(partialOf(result)) or {}).size or 0, result.backup:results { status = "SUCCEEDED", limit = 1 }[1]
  result.sizeInBytes = size
  result.statusMessage = string.format("%.1f MiB written of a database of %.1f MiB", size / 2 ^ 20, about.databaseSize / 2 ^ 20)
  -- A dump is compressed and without indexes: only the dump before tells how large it will be.
  if last and last.sizeInBytes then result.progress = math.min(99, math.floor(100 * size / math.max(1, last.sizeInBytes))) end
end

-- Ends a result that has no good output: what there is of it goes, and what a killed tool may have left running on the server.
-- why: where no job says it.
local function fail(result, name, state, why)
  local connection, tool = result.backup.connection, server.tools[of(result).mode][name == "backup" and 1 or 2]
  local isAsked, output = state.cancelled or result.status == "CANCEL_REQUESTED", state.state ~= "absent" and job.tail(name, 20) or ""
  if isAsked or state.state ~= "ended" or state.signal ~= 0 then
    server.ask(connection, databaseOf(result.backup), "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '" .. result.externalId .. "'")
  end
  server.try(process.run, { argv = { "rm", "-rf", "--one-file-system", "--", partialOf(result) } })
  result.sizeInBytes, result.progress, result.statusMessage = nil, nil, nil
  if output ~= "" then result.errorOutput = output end
  if isAsked then result.status = "CANCELLED" return end
  why = why or state.state ~= "ended" and tool .. " was killed, or died with the machine"
    or state.signal ~= 0 and tool .. " was ended by signal " .. state.signal
    or state.code == -1 and state.message or server.explain(connection, output)
  result.errorMessage, result.status = name == "verify" and "not verified: " .. why or why, "FAILED"
end

-- It is whole: it gets its own name, its size, and what there is to say of it. A crash in here is followed by another call.
local function succeed(result, state)
  local about, connection, path, partial = of(result), result.backup.connection, result.resultPath, partialOf(result)
  local isNamed, message = not fs.exists(partial), "verified"
  if about.mode == "dump" then
    local list, why = server.run(connection, { argv = { about.folder .. "pg_restore", "--list", isNamed and path or partial } })
    if not list then return fail(result, "verify", state, why) end
    local _, entries = list:gsub("%f[^%c]%d+; ", "")
    result:setConfigProperty("postgres.entries", entries)
    message = entries .. " entries, verified"
  else
    local position, timeline = job.read("backup"):match("log start point: (%S+) on timeline (%d+)")
    result.snapshotId = position and position .. "/" .. timeline
  end
  if not isNamed then fs.rename(partial, path) end
  local log, size = job.tail("backup", 1000), server.run(connection, { argv = { "du", "--summarize", "--bytes", "--", path } })
  local warning = log:match("%f[%w]warning: ([^\n]+)") or log:match("WARNING:  ([^\n]+)")
  if warning then result.errorOutput = log end
  result.sizeInBytes, result.progress = tonumber(size and size:match("^%d+")), 100
  result.statusMessage, result.status = warning or message, warning and "SUCCEEDED_WARNING" or "SUCCEEDED"
end

local function isBusy(state) return state.state == "running" or state.state == "starting" end
local function isGood(state) return state.state == "ended" and state.code == 0 end

function provider.refreshBackupResult(backupResult)
  local backup, verify = job.poll("backup"), job.poll("verify")
  if isBusy(backup) then return showProgress(backupResult) end
  if backup.state == "absent" then return ServiceResponse.gone("the directory of its job is gone, and with it what tells whether it runs") end
  if not isGood(backup) then return fail(backupResult, "backup", backup) end
  if verify.state == "absent" then
    if backupResult.status == "CANCEL_REQUESTED" then return fail(backupResult, "verify", verify) end
    for oid in pairs(of(backupResult).tablespaces) do -- they lie beside the data, and relative links find them wherever both are
      process.run { argv = { "ln", "-sfn", "--", "../../tablespaces/" .. oid, partialOf(backupResult) .. "/data/pg_tblspc/" .. oid } }
    end
    verify = job.start { name = "verify", argv = reader(of(backupResult), partialOf(backupResult)), env = { LC_ALL = "C" } }
  end
  backupResult.statusMessage = "written; reading it again"
  if isBusy(verify) then return end
  if isGood(verify) then succeed(backupResult, verify) else fail(backupResult, "verify", verify) end
end

function provider.cancelBackup(backupResult)
  job.cancel("backup")
  job.cancel("verify")
  return true
end

-- ---- afterwards ----

-- Removes the two names of this result; rm follows no link.
function provider.deleteBackupResult(backupResult)
  local target, name = backupResult.backup:getConfigProperty("target"), backupResult.resultArchive
  if not name then return true end -- nothing was begun
  if not fs.exists(target) then return false, "there is no folder " .. target .. ": is it mounted? (--force drops the record only)" end
  local path = target .. "/" .. name
  local done = process.run { argv = { "rm", "-rf", "--one-file-system", "--", path, path .. ".partial" } }
  return done.code == 0, done.stderr:match("[^\n]+")
end

-- What is handed out has been verified once more. A dump becomes a file (with opts.format = "sql": of SQL), in a folder by its own name; a
-- cluster a folder, or a tar file that is compressed as its name says (.tar.zst, .tgz).
function provider.extractBackup(backupResult, opts)
  local about, from, to = of(backupResult), backupResult.resultPath, opts.destination
  local isDump, isSql, connection = about.mode == "dump", opts.format == "sql", backupResult.backup.connection
  local isFolder = to:sub(-1) == "/" or (fs.stat(to) or {}).type == "directory"
  if opts.format and not (isDump and isSql) then return false, "the only other format is sql, of a dump" end
  if not fs.exists(from) then return false, from .. " is not there any more" end
  local folder, version = server.toolsFor(connection, about.mode, about.major) -- others than then may be installed
  if not folder then return false, version end
  about.folder, about.tools = folder, version
  local isWhole, why = server.run(connection, { argv = reader(about, from), env = { LC_ALL = "C" } })
  if not isWhole then return false, "it is damaged: " .. why end
  if isFolder then fs.mkdir(to) end
  if isFolder and isDump then to = to:gsub("/+$", "") .. "/" .. backupResult.resultArchive .. (isSql and ".sql" or "") end
  local argv = isSql and { folder .. "pg_restore", "--file=" .. to, from } or isDump and { "cp", "--", from, to } or isFolder and { "cp", "--archive", "--", from .. "/.", to }
    or { "tar", "--create", "--auto-compress", "--force-local", "--file=" .. to, "--directory=" .. from, "." }
  local done = process.run { argv = argv }
  if done.code ~= 0 then return false, server.explain(connection, done.stderr) end
  if isFolder and not isDump then return ServiceResponse.success { path = to, sizeInBytes = backupResult.sizeInBytes } end
  return ServiceResponse.success { path = to, sizeInBytes = fs.stat(to).size, sha256 = hash.file(to) }
end

return provider
