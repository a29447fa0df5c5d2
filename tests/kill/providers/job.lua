-- A provider whose backup is a local program, which writes into the same ledger as outside.c: when it begins and how it ends. What a Backup has
-- is a policy, a line of that ledger. As with http.lua, a line with CODE, KIND, IDEMPOTENT, DELAY, FAULT and PLACE, the folder of all, comes before this text.
local provider = Provider {
  apiVersion = 1, code = CODE, name = CODE, version = "1.0.0",
  idempotent = IDEMPOTENT, visibilityDelay = DELAY, refreshInterval = 0.1,
  optionTypes = { { fieldName = "version" } },
  needs = { exec = { "sh" }, http = { "${connection.serviceUrl}" } },
}

-- $0 is the key, $1 the ledger, $2 where is told how far it is. Its child is nobody's when it is killed alone, and must not go on then.
local tool = [=[
echo "begin job $0 $$" >>"$1"
echo job.tool.begin >"$2"
sh -c 'sleep 0.1; echo "child job $0 -" >>"$1"' "$0" "$1"
case $0 in *0) end=FAILED ;; *) end=SUCCEEDED ;; esac
trap "" TERM # what it says of its end is so
echo "end job $0 $end" >>"$1"
echo job.tool.end >"$2"
[ $end = SUCCEEDED ]]=]

-- A line of the ledger that is there once, however often it is written, by however many at a time: $2 is the line, $3 one that must be there before.
local once = [=[
exec 9>"$1.lock"
flock 9
if [ -n "$3" ] && ! grep -q "^$3 $0 " "$1"; then exit 0; fi
grep -q "^$2 $0 " "$1" || echo "$2 $0 1" >>"$1"]=]

local function sh(script, key, ...)
  return { argv = { "sh", "-c", script, key, PLACE .. "/ledger", ... } }
end

local function safely(command)
  command.safe = true
  return process.run(command)
end

-- What can be done again after a child has lost its runner is done soon.
local function again(command)
  local hasEnded, result = pcall(process.run, command)
  if not hasEnded then return ServiceResponse.retry(result.message, { after = 0.1 }) end
  if result.code ~= 0 then return ServiceResponse.error(result.stderr) end
  return true
end

local function tell(connection, path) http.get(connection.serviceUrl .. path) end
local function step(backup, name) tell(backup.backupProvider, "/step/" .. CODE .. "." .. name) end

function provider.testConnection(connection)
  tell(connection, "/step/" .. CODE .. ".test.begin")
  local result = safely(sh("exit 0", "-"))
  tell(connection, "/step/" .. CODE .. ".test.end")
  return result.code == 0
end

function provider.configureBackup(backup)
  step(backup, "configure")
end

function provider.validateBackup(backup)
  step(backup, "validate")
end

function provider.createBackup(backup)
  step(backup, "create.begin")
  local result = process.run(sh(once, backup.uuid, "begin jobpolicy", ""))
  step(backup, "create.sent")
  if result.code ~= 0 then error(result.stderr) end
  backup.externalId = "1"
  step(backup, "create.end")
end

function provider.recoverBackup(backup)
  step(backup, "recoverPolicy.begin")
  local code = safely(sh('grep -q "^begin jobpolicy $0 " "$1"', backup.uuid)).code
  step(backup, "recoverPolicy.end")
  if code == 1 then return ServiceResponse.success { found = false } end
  if code ~= 0 then error("grep ended with " .. code) end
  backup.externalId = "1"
  return true
end

function provider.updateBackup(backup)
  step(backup, "update.begin")
  local result = process.run(sh('echo "update jobpolicy $0 $2" >>"$1"', backup.uuid, backup:getConfigProperty("version") or "0"))
  step(backup, "update.end")
  if result.code ~= 0 then error(result.stderr) end
  return true
end

function provider.deleteBackup(backup)
  step(backup, "deletePolicy.begin")
  local answer = again(sh(once, backup.uuid, "delete jobpolicy", "begin jobpolicy"))
  step(backup, "deletePolicy.end")
  return answer
end

function provider.prepareExecuteBackup(backup)
  step(backup, "prepareExecute")
end

function provider.prepareBackupResult(backupResult)
  step(backupResult.backup, "prepareResult")
end

function provider.executeBackup(backup, backupResult)
  step(backup, "execute.begin")
  if math.random(2) == 1 then -- it is told only once that is durable
    defer("tidy", { key = backupResult.uuid })
    tell(backup.backupProvider, "/job/defer?key=" .. backupResult.uuid)
  end
  local command = sh(tool, backupResult.uuid, PLACE .. "/told")
  if FAULT == "child" then -- a child of the hook, where it should be a job
    backupResult.status = process.run(command).code == 0 and "SUCCEEDED" or "FAILED"
  else
    command.name = "tool"
    job.start(command)
  end
  step(backup, "execute.end")
end

-- The job's own word is lost; the tool's may be in the ledger, for it writes that last. From now on nothing of it may go on.
local function saidOf(backupResult)
  local script = 'echo "lost job $0 -" >>"$1"; sed -n "s/^end job $0 //p" "$1"'
  return safely(sh(script, backupResult.uuid)).stdout:match("%S+") or (FAULT == "believes" and "SUCCEEDED" or "FAILED")
end

function provider.refreshBackupResult(backupResult)
  local backup = backupResult.backup
  step(backup, "refresh.begin")
  local state = job.poll("tool")
  if state.state == "lost" or state.state == "absent" or (state.state == "ended" and state.code < 0 and not state.cancelled) then
    backupResult.status = saidOf(backupResult)
  elseif state.state == "ended" and state.cancelled and state.code < 0 then
    backupResult.status = "CANCELLED"
  elseif state.state == "ended" then
    backupResult.status = state.code == 0 and "SUCCEEDED" or "FAILED"
  end
  step(backup, "refresh.end")
end

function provider.cancelBackup(backupResult)
  step(backupResult.backup, "cancel.begin")
  job.cancel("tool")
  step(backupResult.backup, "cancel.end")
  return true
end

function provider.deleteBackupResult(backupResult)
  local backup = backupResult.backup
  step(backup, "delete.begin")
  local answer = again(sh(once, backupResult.uuid, "delete job", "begin job"))
  step(backup, "delete.end")
  return answer
end

function provider.cleanUp(backupResult, name, args)
  local backup = backupResult.backup
  step(backup, "cleanUp.begin")
  local answer = again(sh('echo "clean job $0 -" >>"$1"', args.key))
  step(backup, "cleanUp.end")
  return answer
end

function provider.extractBackup(backupResult, opts)
  step(backupResult.backup, "extract.begin")
  local result = process.run(sh('echo "$0" >"$2"', backupResult.uuid, opts.destination))
  step(backupResult.backup, "extract.end")
  if result.code ~= 0 then return false, result.stderr end
  return ServiceResponse.success { path = opts.destination, sizeInBytes = 37 }
end

return provider
