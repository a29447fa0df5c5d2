-- A provider whose backup is a local program, which writes into the same ledger as outside.c: when it begins and how it ends. As with
-- http.lua, a line with CODE, KIND, IDEMPOTENT, DELAY and FAULT comes before this text.
local provider = Provider {
  apiVersion = 1, code = CODE, name = CODE, version = "1.0.0",
  idempotent = IDEMPOTENT, refreshInterval = 0.1,
  optionTypes = { { fieldName = "ledger", required = true } },
  needs = { exec = { "sh" }, http = { "${connection.serviceUrl}" } },
}

local script = [=[
echo "begin job $0 $$" >>"$1"
sleep 0.1
case $0 in *0) end=FAILED ;; *) end=SUCCEEDED ;; esac
trap "" TERM # what it says of its end is so
echo "end job $0 $end" >>"$1"
[ $end = SUCCEEDED ]]=]

local function step(backup, name) http.get(backup.backupProvider.serviceUrl .. "/step/" .. CODE .. "." .. name) end

function provider.executeBackup(backup, backupResult)
  step(backup, "execute.begin")
  local argv = { "sh", "-c", script, backupResult.uuid, backup:getConfigProperty("ledger") }
  if FAULT == "child" then -- a child of the hook, where it should be a job
    backupResult.status = process.run { argv = argv }.code == 0 and "SUCCEEDED" or "FAILED"
  else
    job.start { name = "tool", argv = argv }
  end
  step(backup, "execute.end")
end

-- The job's own word is lost; the tool's may be in the ledger, for it writes that last.
local function saidOf(backupResult)
  local argv = { "sh", "-c", 'sed -n "s/^end job $0 //p" "$1"', backupResult.uuid, backupResult.backup:getConfigProperty("ledger") }
  return process.run { argv = argv, safe = true }.stdout:match("%S+") or (FAULT == "believes" and "SUCCEEDED" or "FAILED")
end

function provider.refreshBackupResult(backupResult)
  local backup = backupResult.backup
  step(backup, "refresh.begin")
  local state = job.poll("tool")
  if state.state == "ended" and state.cancelled and state.code < 0 then backupResult.status = "CANCELLED"
  elseif state.state == "ended" then backupResult.status = state.code == 0 and "SUCCEEDED" or "FAILED" end
  if state.state == "lost" or state.state == "absent" then backupResult.status = saidOf(backupResult) end
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
  local script = '! grep -q "^begin job $0 " "$1" || grep -q "^delete job $0 " "$1" || echo "delete job $0 1" >>"$1"'
  local code = process.run { argv = { "sh", "-c", script, backupResult.uuid, backup:getConfigProperty("ledger") } }.code
  step(backup, "delete.end")
  return code == 0
end

return provider
