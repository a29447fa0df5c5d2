# What every test of the command line has; read with `. "$1"` as its first line.
#
# $data is a fresh data directory, $providers a folder with `nap`, a provider that sleeps: its options say for how long and how it ends.
# o ARGS... runs orrery there, later ARGS... & in the background; run ARGS... keeps $status, $out and $err.
data=$PWD/data
providers=$PWD/providers
mkdir -p "$providers"
cat >"$providers/nap.lua" <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "nap", name = "Nap", version = "1.0.0", refreshInterval = 0.1, needs = { read = { "${option.gate}" }, write = { "${opts.destination}" } },
  optionTypes = {
    { fieldName = "seconds", inputType = "number", required = true },
    { fieldName = "ends", inputType = "text" },
    { fieldName = "slow", inputType = "number" }, -- seconds that executeBackup itself takes
    { fieldName = "gate", inputType = "text" }, -- and it takes until this file is gone
  },
}

function provider.executeBackup(backup, backupResult, executionConfig)
  local gate = backup:getConfigProperty("gate")
  sleep(backup:getConfigProperty("slow") or 0)
  while gate and fs.exists(gate) do sleep(0.1) end
  backupResult.status = "IN_PROGRESS"
  backupResult:setConfigProperty("wake", time.now() + 1000 * (executionConfig.seconds or backup:getConfigProperty("seconds")))
  backupResult.externalId = executionConfig.label
end

function provider.refreshBackupResult(backupResult)
  local left = backupResult:getConfigProperty("wake") - time.now()
  if left > 0 then return end
  backupResult.status = backupResult:getConfigProperty("ends") or backupResult.backup:getConfigProperty("ends") or "SUCCEEDED"
  backupResult.progress = 100
  if backupResult.status == "FAILED" then backupResult.errorMessage = "overslept" end
end

function provider.cancelBackup(backupResult)
  backupResult:setConfigProperty("wake", 0)
  backupResult:setConfigProperty("ends", "CANCELLED")
  return true
end

function provider.deleteBackupResult() return true end

function provider.testConnection() return true end

function provider.extractBackup(backupResult, opts)
  fs.write(opts.destination, "slept well")
  return ServiceResponse.success { path = opts.destination, sizeInBytes = 10 }
end

return provider
LUA

. "$(dirname "$1")/../../said.sh"

o() { "$ORRERY" --data "$data" --providers "$providers" --setting shipped_providers=false "$@"; }

# The same for the background: with exec, $! is the program's own pid.
later() { exec "$ORRERY" --data "$data" --providers "$providers" --setting shipped_providers=false "$@"; }

# $out as JSON, asked by a Python expression over `r`.
json() { python3 -c 'import json,sys
r = json.load(open("out"))
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1"; }

# Prints a Python expression over the JSON `r` of a file.
get() { python3 -c 'import json,sys
print(eval(sys.argv[2], {"r": json.load(open(sys.argv[1]))}))' "$1" "$2"; }

# Starts a daemon: $serve is its pid, serve.log what it says.
start_serve() {
  : >serve.log # the one before said ready too
  later "$@" serve --log-format logfmt 2>>serve.log &
  serve=$!
  until_ok grep -q msg=ready serve.log
}
end_serve() {
  kill -TERM "$serve"
  wait "$serve"
}
