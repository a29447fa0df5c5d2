-- restic: snapshots in a restic repository, which is a connection. Made for Debian's restic 0.14, fine with later ones.
--
--   orrery connection add vault --provider restic --set repository=/srv/restic --set password=@/etc/restic.key
--   orrery backup create home --provider restic --connection vault --set path=/home --schedule "0 2 * * *"
--
-- What is backed up is the content of `path`: restoring a snapshot into a folder gives the same tree, without the folders above it. Every
-- snapshot is tagged with its result's uuid, by which it is found when the job's own word is lost.
-- Deleting a result only forgets its snapshot. Pruning is slow and concerns the whole repository, so it happens once, on request:
-- `backup run NAME --set prune=true` prunes after that backup, `backup rm NAME --with-results --opt prune=true` after the deletion.
--
-- Invariants: secrets, and the repository's location, which may hold some, reach restic by its environment, never by its arguments.
-- Backups are started by job.start alone and everything else can be repeated, so a crash loses nothing and doubles nothing.
local provider = Provider {
  apiVersion = 1, code = "restic", name = "restic", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "repository", fieldLabel = "Repository", required = true,
      helpText = "as restic takes it: /path, sftp:user@host:/path, s3:https://host/bucket" },
    { fieldName = "password", fieldLabel = "Password of the repository", inputType = "password", required = true },
    { fieldName = "environment", fieldLabel = "Environment", inputType = "list",
      helpText = "NAME=value, or several such lines; RESTIC_CACHE_DIR is the place for the cache of a remote repository" },
    { fieldName = "secretEnvironment", fieldLabel = "Secret environment", inputType = "password",
      helpText = "lines of NAME=value for secrets such as AWS_SECRET_ACCESS_KEY, as --set secretEnvironment=@FILE" },
    { fieldName = "lockWait", fieldLabel = "Seconds to wait for a locked repository", inputType = "number", defaultValue = 60 },
  },
  optionTypes = {
    { fieldName = "path", fieldLabel = "Folder or file to back up", required = true },
    { fieldName = "exclude", fieldLabel = "Patterns to leave out", inputType = "list" },
  },
  refreshInterval = 1,
  timeouts = { prepareExecuteBackup = 300, deleteBackup = 6 * 3600, extractBackup = 6 * 3600 },
  needs = { exec = { "restic", "tar", "rm" }, read = { "${option.path}", "${opts.destination}" }, write = { "${opts.destination}" } },
}

local LOCK_PAUSE = 10 -- seconds between two tries to get at a locked repository

-- ---- the tool ----

-- The arguments and the environment of a restic command. A cache in front of a local folder is of no use, and may have no place to be.
local function command(connection, ...)
  local env = { RESTIC_PROGRESS_FPS = "2" } -- status lines a second; without it 60
  local given, secrets = table.concat(connection.config.environment or {}, "\n"), connection.secrets.secretEnvironment or ""
  for name, value in given:gmatch("([%a_][%w_]*)=([^\r\n]*)") do env[name] = value end
  for name, value in secrets:gmatch("([%a_][%w_]*)=([^\r\n]*)") do env[name] = secret(value) end
  env.RESTIC_REPOSITORY, env.RESTIC_PASSWORD = connection.config.repository, connection.password
  local argv = { "restic", ... }
  if env.RESTIC_REPOSITORY:sub(1, 1) == "/" and not env.RESTIC_CACHE_DIR then table.insert(argv, 2, "--no-cache") end
  return argv, env
end

-- What went wrong, in one line, and a word for what is acted upon: "locked", "missing".
local function explain(connection, output)
  local where = connection.config.repository:gsub("://[^/@]*@", "://")
  local holder = output:match("already locked[%a ]* by (PID %d+ on %S+)")
  if holder then return "the repository " .. where .. " is locked by " .. holder .. " (if that is long gone: restic unlock)", "locked" end
  if output:find("wrong password or no key found", 1, true) then return "wrong password for the repository " .. where end
  local reason = output:match("Fatal: ([^\n]+)") or output:match("[^\n]*permission denied") or output:match("[^\n]+") or "restic gave no reason"
  if output:find("Is there a repository at the following location", 1, true) then
    local isMissing = reason:find("no such file", 1, true) or reason:find("not exist", 1, true)
    return (isMissing and "there is no repository at " or "cannot open the repository ") .. where .. ": " .. reason, isMissing and "missing"
  end
  return reason
end

-- Runs a command to its end, answers its output, or nil, why and a word. Safe here means that repeating it does no harm.
local function run(connection, isSafe, ...)
  local argv, env = command(connection, ...)
  local ok, done = pcall(process.run, { argv = argv, env = env, safe = isSafe })
  if not ok and done.code == "no_program" then return nil, done.message end
  if not ok then error(done, 0) end -- a deadline, a cancel: the runtime's to deal with
  if done.code == 0 then return done.stdout end
  return nil, explain(connection, done.stderr)
end

-- Locks of processes that are gone; restic judges by host and process, so nobody who lives is disturbed.
local function dropStaleLocks(connection)
  pcall(run, connection, true, "unlock")
end

-- A command that must have the repository for itself, as an answer.
local function runAlone(connection, ...)
  local output, why, word = run(connection, false, ...)
  if word == "locked" then
    dropStaleLocks(connection)
    output, why, word = run(connection, false, ...)
  end
  if output then return ServiceResponse.success() end
  return word == "locked" and ServiceResponse.retry(why, { after = LOCK_PAUSE }) or ServiceResponse.error(why)
end

-- The snapshot of a result by its tag: nil if there is none, or false, why and a word if that cannot be said.
local function findSnapshot(connection, result)
  local output, why, word = run(connection, true, "snapshots", "--json", "--no-lock", "--tag", result.uuid)
  if not output then return false, why, word end
  return (json.decode(output) or {})[1]
end

local making = {} -- repository -> since when a hook has been making it

-- Two at once would leave a repository with two master keys, of which one opens nothing.
local function makeRepository(connection)
  local where = connection.config.repository
  poll { every = 0.2, check = function() return not making[where] or time.since(making[where]) > 300 end }
  making[where] = time.now()
  local made, why = run(connection, true, "init")
  making[where] = nil
  return made ~= nil or why:find("already exists", 1, true) ~= nil, why
end

-- ---- before and at the start ----

function provider.validateBackup(backup, config, opts)
  local errors, path = opts.errors, backup:getConfigProperty("path")
  if path and path:sub(1, 1) ~= "/" then errors.path = "must be an absolute path, not '" .. path .. "'"
  elseif path and not fs.exists(path) then errors.path = path .. " does not exist" end
  return { success = next(errors) == nil, errors = errors }
end

-- Opens the repository and reads its configuration, which is sealed with the password.
function provider.testConnection(connection)
  local output, why, word = run(connection, true, "cat", "config", "--no-lock")
  if word == "missing" then return false, why .. " (the first backup makes it; if it should be there: is it mounted?)" end
  if not output then return false, why end
  local config = json.decode(output) or {}
  return ServiceResponse.success({ id = config.id, version = config.version }, "the repository " .. tostring(config.id):sub(1, 10) .. " opens with this password")
end

function provider.prepareExecuteBackup(backup)
  local path, connection = backup:getConfigProperty("path"), backup.connection
  if not fs.exists(path) then return false, path .. " does not exist" end
  local output, why, word = run(connection, true, "cat", "config", "--no-lock")
  if word ~= "missing" then return output ~= nil, why end
  if #backup:results { status = "SUCCEEDED", limit = 1 } > 0 then return false, why .. " (it was there before: is it mounted?)" end
  return makeRepository(connection)
end

-- Starts the backup as a job of that name, or finds it.
local function start(result, name)
  local backup, path = result.backup, result.backup:getConfigProperty("path")
  local folder, what = path, "."
  if (fs.stat(path) or {}).type == "file" then folder, what = path:match("^(.*/)([^/]+)$") end
  local server = result.computeServer
  local argv, env = command(backup.connection, "backup", "--json", "--tag", "orrery," .. result.uuid)
  if server then table.insert(argv, "--host=" .. (server.hostname or server.name)) end
  for _, pattern in ipairs(backup:getConfigProperty("exclude") or {}) do table.insert(argv, "--exclude=" .. pattern) end
  table.insert(argv, "--")
  table.insert(argv, what)
  result:setConfigProperty("restic.job", name)
  return pcall(job.start, { name = name, argv = argv, env = env, cwd = folder, split = true })
end

function provider.executeBackup(backup, backupResult, executionConfig)
  backupResult:setConfigProperty("restic.prune", tostring(executionConfig.prune) == "true" or nil)
  local ok, err = start(backupResult, "backup-1")
  if not ok then return false, err.message end
end

-- ---- the end, and the way there ----

-- The last message of a kind that restic printed on its standard output.
local function lastMessage(name, kind)
  local found
  for line in job.tail(name, 5, "out"):gmatch("[^\n]+") do
    local message = json.decode(line)
    if type(message) == "table" and message.message_type == kind then found = message end
  end
  return found
end

local function showProgress(result, name)
  local message = lastMessage(name, "status")
  if not message or not message.total_files then return end
  result.progress = math.floor((message.percent_done or 0) * 1000) / 10
  result.statusMessage = string.format("%d of %d files", message.files_done or 0, message.total_files)
end

-- What restic could not read, by the messages on its standard error; nil if there is nothing.
local function unreadable(log)
  local items = {}
  for line in log:gmatch("[^\n]+") do
    local message = json.decode(line)
    if type(message) == "table" and message.during == "archival" then items[#items + 1] = message.item end
  end
  if #items == 0 then return nil end
  return "could not read " .. table.concat(items, ", ", 1, math.min(3, #items)) .. (#items > 3 and " and others" or "")
end

local function finish(result, status, why)
  if result.status == "CANCEL_REQUESTED" and status == "FAILED" then status, why = "CANCELLED", nil end
  if status ~= "SUCCEEDED" and status ~= "SUCCEEDED_WARNING" then dropStaleLocks(result.backup.connection) end -- what was killed has left one
  if status == "FAILED" then result.errorMessage = why end
  result.statusMessage, result.status = why, status
end

local function backedUp(result, name, status, why)
  local summary, progress = lastMessage(name, "summary") or {}, lastMessage(name, "status") or {}
  result.snapshotId = summary.snapshot_id or result.snapshotId
  result.externalId = result.snapshotId
  result.sizeInBytes = summary.total_bytes_processed or progress.total_bytes
  result:setConfigProperty("restic.addedBytes", summary.data_added)
  if not result:getConfigProperty("restic.prune") then return finish(result, status, why) end
  local argv, env = command(result.backup.connection, "prune")
  local ok, err = pcall(job.start, { name = "prune", argv = argv, env = env })
  if not ok then return finish(result, "SUCCEEDED_WARNING", "not pruned: " .. err.message) end
  result:setConfigProperty("restic.job", "prune")
  result:setConfigProperty("restic.outcome", { status = status, why = why })
  result.progress, result.statusMessage = nil, "backed up; pruning the repository"
end

local function pruned(result, ended)
  local outcome = result:getConfigProperty("restic.outcome")
  if ended.code == 0 then return finish(result, outcome.status, outcome.why) end
  local why = ended.cancelled and "cancelled" or ended.state ~= "ended" and "restic was killed" or explain(result.backup.connection, job.tail("prune", 200))
  finish(result, "SUCCEEDED_WARNING", (outcome.why and outcome.why .. "; " or "") .. "not pruned: " .. why)
end

-- The job's own word is lost: the repository says whether the snapshot was complete, for restic writes that last.
local function lost(result, name, ended)
  local snapshot, why, word = findSnapshot(result.backup.connection, result)
  if snapshot == false and word ~= "missing" then return ServiceResponse.retry("restic was killed, and its snapshot cannot be looked for: " .. why) end
  if not snapshot and ended.state == "absent" then
    return ServiceResponse.gone("the directory of its job is gone, and with it what tells whether restic runs; there is no snapshot yet")
  end
  if not snapshot then return finish(result, "FAILED", "restic was killed, or died with the machine, before the snapshot was complete") end
  result.snapshotId = snapshot.short_id
  local failed = ended.state == "lost" and unreadable(job.tail(name, 1000))
  backedUp(result, name, failed and "SUCCEEDED_WARNING" or "SUCCEEDED", failed or "the job was lost, but the snapshot is complete")
end

-- A locked repository is tried again: at once when stale locks have been removed, then every LOCK_PAUSE.
local function isTriedAgain(result, name, ended, why)
  local number, lockWait = tonumber(name:match("%d+")), result.backup.connection:getConfigProperty("lockWait") or 0
  if result.status == "CANCEL_REQUESTED" or time.since(job.poll("backup-1").endDate) >= lockWait then return false end
  result.statusMessage = why .. "; trying again"
  if number == 1 or time.since(ended.endDate) >= LOCK_PAUSE then
    dropStaleLocks(result.backup.connection)
    return (start(result, "backup-" .. number + 1))
  end
  return true
end

function provider.refreshBackupResult(backupResult)
  local name, connection = backupResult:getConfigProperty("restic.job"), backupResult.backup.connection
  local state = job.poll(name)
  if state.state == "running" or state.state == "starting" then
    if name ~= "prune" then showProgress(backupResult, name) end
    return
  end
  if name == "prune" then return pruned(backupResult, state) end
  if state.state ~= "ended" then return lost(backupResult, name, state) end
  local log = job.tail(name, 1000) -- with `split`, standard error
  if log ~= "" then backupResult.errorOutput = log end
  if state.code == 0 then return backedUp(backupResult, name, "SUCCEEDED") end
  if state.code == 3 then return backedUp(backupResult, name, "SUCCEEDED_WARNING", unreadable(log) or "could not read some files") end
  if state.cancelled then return finish(backupResult, "CANCELLED") end
  local why, word = explain(connection, log)
  if state.signal ~= 0 then why = "restic was ended by signal " .. state.signal elseif state.code == -1 then why = state.message end
  if word ~= "locked" or not isTriedAgain(backupResult, name, state, why) then finish(backupResult, "FAILED", why) end
end

function provider.cancelBackup(backupResult)
  job.cancel(backupResult:getConfigProperty("restic.job"))
  return true
end

-- ---- afterwards ----

function provider.deleteBackupResult(backupResult)
  local connection, id = backupResult.backup.connection, backupResult.snapshotId
  if not id then -- it failed or was cancelled, so most probably there is none
    local snapshot, why, word = findSnapshot(connection, backupResult)
    if snapshot == false and word ~= "missing" then return false, why end
    if not snapshot then return true end
    id = snapshot.id
  end
  return runAlone(connection, "forget", id)
end

-- The snapshots under our tags. Whether one lacks files is not told by it, so nothing is said of its status.
function provider.listBackupResults(connection)
  local output, why, word = run(connection, true, "snapshots", "--json", "--no-lock", "--tag", "orrery")
  if not output then return false, word == "missing" and why .. " (is it mounted?)" or why end
  local list = {}
  for _, snapshot in ipairs(json.decode(output) or {}) do
    for _, tag in ipairs(snapshot.tags) do
      if #tag == 36 and tag:match("^%x+%-%x+%-%x+%-%x+%-%x+$") then
        list[#list + 1] = { uuid = tag, externalId = snapshot.short_id, snapshotId = snapshot.short_id }
      end
    end
  end
  return ServiceResponse.success(list)
end

function provider.deleteBackup(backup, opts)
  if tostring(opts.prune) ~= "true" then return true end
  return runAlone(backup.connection, "prune")
end

-- Into a folder, one that is there or a name with a slash at its end, the snapshot is restored; anything else becomes a tar file.
function provider.extractBackup(backupResult, opts)
  local to, connection = opts.destination, backupResult.backup.connection
  local isFolder = to:sub(-1) == "/" or (fs.stat(to) or {}).type == "directory"
  local folder = isFolder and to or to .. "." .. backupResult.uuid:sub(1, 8) .. ".partial"
  local ok, why = run(connection, false, "restore", backupResult.snapshotId, "--target", folder)
  if ok and isFolder then return ServiceResponse.success { path = to, sizeInBytes = backupResult.sizeInBytes } end
  if ok then
    local tar = process.run { argv = { "tar", "--create", "--force-local", "--file=" .. to, "--directory=" .. folder, "." } }
    ok, why = tar.code == 0, tar.stderr:match("[^\n]+")
  end
  if not isFolder then process.run { argv = { "rm", "-rf", "--", folder } } end
  if not ok then return false, why end
  return ServiceResponse.success { path = to, sizeInBytes = fs.stat(to).size, sha256 = hash.file(to) }
end

return provider
