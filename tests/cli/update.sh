. "$1" # What is changed afterwards: backup update, connection update and test, result retry.

cat >providers/plan.lua <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "plan", name = "Plan", version = "1.0.0", needs = { exec = { "true" } },
  connectionOptionTypes = { { fieldName = "region", inputType = "text", defaultValue = "eu" }, { fieldName = "token", inputType = "password" } },
  optionTypes = {
    { fieldName = "path", inputType = "text", required = true }, { fieldName = "depth", inputType = "number", defaultValue = 3 },
    { fieldName = "key", inputType = "password" }, { fieldName = "site", inputType = "text", createOnly = true },
  },
}
function provider.validateBackup(backup)
  if backup:getConfigProperty("path") == "/full" then return false, "no room at /full" end
end
function provider.executeBackup(backup, backupResult, executionConfig, cloud, server, opts)
  backupResult.status = executionConfig.ends or "FAILED"
  backupResult.statusMessage = "label " .. (executionConfig.label or "none") .. ", note " .. (opts.note or "none")
end
function provider.deleteBackupResult() return true end
function provider.testConnection(connection)
  if connection.username == "ada" then return ServiceResponse.success({ version = 7 }, "Plan 7") end
  return false, "Plan knows nobody called " .. (connection.username or "nothing")
end
return provider
LUA
sed 's/code = "plan"/code = "carry"/; s/^return provider/function provider.updateBackup(backup, previous)\
  process.run { argv = { "true" } }\
  if backup:getConfigProperty("path") == "\/lost" then error("the reply was lost") end\
  return true, previous.name .. " is now at " .. backup:getConfigProperty("path")\
end\
return provider/' providers/plan.lua >providers/carry.lua

# Connections.
o connection add vault --provider plan --username bob --set token=hush-hush >/dev/null
run connection test vault
ok "a connection that does not work exits 1" exits 1
ok "and says why" complains "Plan knows nobody called bob"
run connection update vault --username ada --set region=us
ok "connection update" exits 0
ok "says what has changed" says "connection vault updated: username, region"
run connection test vault
ok "then it works" exits 0
ok "and says so" says "connection vault works"
ok "with the provider's word" says "Plan 7"
run connection test vault --json
ok "which has data for programs" json 'r["success"] is True and r["data"] == {"version": 7} and r["connection"] == "vault"'
printf 'new-hush\n' >word
run connection update vault --unset region --set token=@word --rename safe --host h --port 22 --url http://h/
ok "values are taken away, and it is renamed" says "connection safe updated: name, serviceUrl, host, port, region, token"
run connection show safe --json
ok "the default is back" json 'r["config"] == {"region": "eu"} and r["port"] == 22'
echo pw >password
o connection update safe --password-stdin <password >/dev/null
run connection show safe
ok "no secret is shown" sh -c '! grep -q "hush\|pw" out'
run connection update safe --username ada
ok "what changes nothing exits 0" exits 0
ok "and says so" says "connection safe: nothing was changed"
run connection update safe --unset nosuch --set regoin=x
ok "unknown options exit 2" exits 2
ok "with the nearest" complains "regoin: unknown option; did you mean 'region'?"
run connection update safe --enable --disable
ok "opposite words exit 2" exits 2
run connection update nosuch --disable
ok "no such connection exits 4" exits 4
o connection add other --provider nap >/dev/null
run connection update other --rename safe
ok "a name that is taken exits 2" exits 2
sed -i '/testConnection/d; s/"nap"/"mute"/' providers/nap.lua && mv providers/nap.lua providers/mute.lua
o connection add dumb --provider mute >/dev/null
run connection test dumb
ok "a provider that cannot test exits 5" exits 5
ok "and says that it has no testConnection" complains "the provider 'mute' cannot test connections: it has no testConnection"
run connection test nosuch
ok "no such connection to test exits 4" exits 4
o events --json >out
ok "an event says what has changed, no secret" json '[e["message"] for e in r if e["kind"] == "connection.updated"][1] == "changed: name, serviceUrl, host, port, region, token"'

# Backups.
o backup create docs --provider plan --connection safe --set path=/a --set key=hush-hush --set site=here >/dev/null
run backup update docs --set path=/b --set key=@word
ok "backup update" exits 0
ok "says what has changed" says "backup docs updated: path, key"
run backup update docs --set path=/b
ok "what changes nothing exits 0" exits 0
ok "and says so" says "backup docs: nothing was changed: it is like that already"
run backup update docs
ok "also with no option" exits 0
run backup update docs --set path=/full
ok "a hook that halts it exits 2" exits 2
ok "with its words" complains "no room at /full"
run backup update docs --set site=there --set depth=4
ok "an option that is createOnly exits 2" exits 2
ok "and says so" complains "site: can only be set when the Backup is created"
run backup update docs --unset path --set deph=1
ok "what is required, and what is unknown, together" complains "deph: unknown option; did you mean 'depth'?"
run backup show docs --json
ok "none of these changed anything" json 'r["config"] == {"path": "/b", "depth": 3, "site": "here"}'
run backup update docs --schedule "0 2 * * *" --tz Europe/Berlin --keep-last 3 --refresh-interval 5 --retries 2
ok "schedule and policies" says "updated: schedule, timeZone, paused, keepLast, retryAttempts, refreshInterval"
ok "with the meaning of the schedule" says "at 02:00 every day"
ok "which fires under serve" complains "orrery serve"
run backup update docs --no-schedule --no-retention --refresh-interval 0 --retries 0 --json
ok "and they are taken away" json 'r["backup"]["schedule"] is None and r["backup"]["keepLast"] is None and sorted(r["changed"]) == sorted(["schedule", "timeZone", "paused", "keepLast", "retryAttempts", "refreshInterval"])'
run backup update docs --schedule "0 0 30 2 *"
ok "a schedule that never fires exits 2" exits 2
run backup update docs --rename 17
ok "a name that is none exits 2" exits 2
o server add web >/dev/null
run backup update docs --server web --rename papers
ok "server and name" says "backup papers updated: name, server"
run backup update papers --server "" --connection ""
ok "and none" says "backup papers updated: connection, server"
run backup update docs --set path=/c
ok "the old name is gone" exits 4
run backup update papers --provider carry
ok "there is no way to another provider" exits 2

# An update whose end nobody knows.
o backup create far --provider carry --set path=/a --set site=here >/dev/null
run backup update far --set site=there
ok "updateBackup carries what is createOnly" says "backup far updated: site: far is now at /a"
run backup update far --set path=/lost
ok "an end that nobody knows exits 8" exits 8
ok "with what to type" complains "orrery backup update far"
for command in status "backup ls" "backup show far"; do
  run $command
  ok "$command says what to do" says "unknown_update: see how far is outside"
done
run status
ok "status exits 8" exits 8
run backup show far --json
ok "nothing was stored" json 'r["config"]["path"] == "/a" and r["attention"] == "unknown_update"'
run backup update far
ok "an update that goes through ends that" says "far is now at /a"
run status
ok "then status exits 0" exits 0

# Once more.
run backup run far --set label=first --opt note=mine --wait
ok "a run that fails" exits 1
id=$(o result ls --quiet | head -n 1)
run result retry "$id" --wait
ok "result retry exits as the new one is" exits 1
ok "which was given the same" says "label first, note mine"
o result ls --json >out
ok "and is linked" json 'len(r) == 2 and r[0]["retryOf"] == r[1]["uuid"]'
run result retry "$id" --json
ok "without --wait it says what has begun" json 'r["retryOf"] is not None'
run backup run far --set ends=SUCCEEDED --wait
id=$(o result ls --quiet | head -n 1)
run result retry "$id"
ok "what ended well exits 5" exits 5
ok "and names backup run" complains "orrery backup run far"
run result retry nosuch
ok "no such result exits 4" exits 4
run db check
ok "the database is sound" exits 0
