. "$1" # Trying a provider out: check, single hooks, typed lines, dry runs; a server's log says what arrived.

python3 "$(dirname "$1")/api.py" requests.log port &
until_ok test -s port
url=http://127.0.0.1:$(cat port)
cat >providers/acme.lua <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "acme", name = "Acme", version = "1.0.0", needs = { http = { "${connection.serviceUrl}" }, write = { "/tmp" } },
  optionTypes = { { fieldName = "policy", defaultValue = "gold" }, { fieldName = "pin", inputType = "password" } },
}
local function ask(connection, method, path, body)
  return http.request { method = method, url = url.join(connection.serviceUrl, path), bearer = connection.serviceToken, json = body }
end
function provider.testConnection(connection)
  log.info("asking %s with %s", connection.name, connection.serviceToken or "nothing")
  return ServiceResponse.success({ version = ask(connection, "GET", ""):json().version }, "it is there")
end
function provider.prepareExecuteBackup(backup) ask(backup.connection, "GET", "") end
function provider.executeBackup(backup, backupResult, executionConfig)
  local body = { key = backupResult.uuid, policy = backup:getConfigProperty("policy"), label = executionConfig.label, pin = backup.secrets.pin }
  backupResult.externalId = ask(backup.connection, "POST", "jobs", body):json().id
end
function provider.refreshBackupResult(backupResult)
  local reply = ask(backupResult.backup.connection, "GET", "jobs/" .. backupResult.externalId)
  if reply.status == 404 then return false, "no such job" end
  backupResult.status = "SUCCEEDED"
end
function provider.deleteBackupResult(backupResult) return ask(backupResult.backup.connection, "DELETE", "jobs/" .. backupResult.externalId).status == 204 end
return provider
LUA
sed 's/backupResult.externalId = /backupResult.externlId = /; s/code = "acme"/code = "wrong"/; s/function provider.testConnection/function provider.testConection/; s/backup.connection, "GET", ""/backup.conection, "GET", ""/' \
  providers/acme.lua >wrong.lua

# provider check
run provider check providers/acme.lua
ok "a working provider passes its check" exits 0
run provider check wrong.lua
ok "one that does not work exits 1" exits 1
ok "a misspelt field is found with its line and the nearest" says "wrong.lua:15: warning: BackupResult has no field 'externlId' (did you mean 'externalId'?)"
ok "and what one navigates by" says "wrong.lua:12: warning: Backup has no field 'conection' (did you mean 'connection'?)"
ok "and a misspelt hook" says "there is no hook 'testConection' (did you mean 'testConnection'?)"
run provider check wrong.lua --json
ok "as JSON" json "not r['ok'] and len(r['findings']) == 3 and r['errors'] == 1 and r['warnings'] == 2"
ok "with the place, the rule and how grave it is" json "r['findings'][2] == {'file': '$PWD/wrong.lua', 'line': 15, 'column': 16, 'severity': 'warning', 'rule': 'unknown_field',
  'message': 'BackupResult has no field \'externlId\' (did you mean \'externalId\'?)'}"
ok "an error, too" json "{k: r['findings'][0][k] for k in ('line', 'severity', 'rule')} == {'line': 8, 'severity': 'error', 'rule': 'unknown_hook'} and 'column' not in r['findings'][0]"
mkdir doubtful
sed 's/backupResult.externalId = /backupResult.externlId = /' providers/acme.lua >doubtful/acme.lua
run provider check doubtful/acme.lua --errors-only
ok "what is only doubtful works" exits 0
ok "which is said, with how much there is" says "doubtful/acme.lua: a working provider, with 1 warning"
run provider check doubtful/acme.lua
ok "and is 1 all the same, where nobody says that only errors count" exits 1
run provider check wrong.lua --errors-only
ok "what does not work is 1 there, too" exits 1
run provider check providers/acme.lua --errors-only
ok "and 0 where there is nothing" exits 0
run provider check nothere/init.lua
ok "a folder that is not there exits 4" exits 4
printf 'local x = \n' >half.lua
run provider check half.lua --json
ok "what does not compile has its line" json "r['findings'][0]['rule'] == 'syntax' and r['findings'][0]['line'] == 2"
printf 'error("no good")' >raises.lua
run provider check raises.lua --json
ok "what raises is an error of loading" json "r['findings'][0]['rule'] == 'load' and r['findings'][0]['message'] == 'no good'"
echo 'return {}' >none.lua
run provider check none.lua --json
ok "what is of the whole file has no line" json "r['findings'][0]['rule'] == 'no_provider' and 'line' not in r['findings'][0] and r['findings'][0]['file'].endswith('/none.lua')"
head -c 4000 /dev/urandom >noise.lua
run provider check noise.lua
ok "what is no Lua at all is one line more than the verdict" test "$(wc -l <out)" = 2
run provider check nothere.lua
ok "a file that is not there exits 4" exits 4
ok "in one line" test "$(wc -l <err)" = 1
ok "a check makes no data directory" test ! -e data
run provider show ./doubtful/acme.lua
ok "who gives a path where a code is wanted is told" complains "a code is wanted here, not a path; --providers FOLDER says where it lies"

# provider call
printf '{ "connection": { "name": "here", "serviceUrl": "%s", "serviceToken": "hush-hush" }, "backupResult": { "externalId": "7" }, "executionConfig": { "label": "hush-hush" } }' "$url" >objects.json
run provider call ./providers/acme.lua testConnection --args objects.json
ok "a hook is called with objects from a file" exits 0
ok "its answer is shown" says "msg: it is there"
ok "its data" says 'data: {"version":7}'
ok "what it asked for" says "done GET $url/"
ok "what it logged, without secrets" says "log info: asking here with ***"
run provider call acme refreshBackupResult --args - <objects.json
ok "objects come from standard input, and a hook that halts exits 1" exits 1
ok "with its reason" says "msg: no such job"
run provider call acme executeBackup --args objects.json
ok "a mutating act is not done" says "would POST $url/jobs"
ok "but told, with what would be sent" says '"label":"***","policy":"gold"}'
ok "and how to do it" says "say --really"
ok "nothing mutating arrived" not grep -q POST requests.log
run provider call acme executeBackup --args objects.json --really --json
ok "with --really it is done" grep -qx "POST /jobs" requests.log
ok "and what changed is told" json "r['outcome'] == 'success' and r['changed']['backupResult']['externalId'] and r['acts'][0]['status'] == 201"
run provider call acme executBackup
ok "a misspelt hook is wrong usage" exits 2
ok "and gets the nearest" complains "did you mean 'executeBackup'?"
run provider call acme cancelBackup
ok "one that it does not have is refused" exits 5
run provider call nothere executeBackup
ok "a provider that is not there exits 4" exits 4
echo '{ "backup": { "nme": "x" } }' >bad.json
run provider call acme executeBackup --args bad.json
ok "a field that is none is wrong usage" exits 2
ok "and named" complains "backup.nme: a backup has no such field; did you mean 'name'?"
echo '{ "backup": ' >bad.json
run provider call acme executeBackup --args bad.json
ok "what is no JSON is wrong usage, in one line" test "$status $(wc -l <err)" = "2 1"
run provider call acme executeBackup --args nothere.json
ok "so is a file that is not there" exits 4
run provider call ./providers/acme.lua testConnection --connection here
ok "a connection belongs to a provider of the data directory" complains "give its code, not a file"

# A dry run
o connection add vault --provider acme --set serviceUrl="$url" --set serviceToken=hush-hush >/dev/null
o backup create docs --provider acme --connection vault --set pin=4711-4711 >/dev/null
: >requests.log
run backup run docs --dry-run --set label=mine
ok "a dry run exits 0" exits 0
ok "does what is safe" says "done GET $url/  200"
ok "tells the first mutating act" says "would POST $url/jobs"
ok "with its body, without the passwords of the Backup" says '"label":"mine","pin":"***","policy":"gold"}'
ok "and of the connection" says "Authorization: ***"
ok "and that nothing was done" says "nothing was changed and nothing is stored"
ok "only safe requests arrived" test "$(sort -u requests.log)" = "GET /"
run result ls --quiet
ok "there is no result" test -z "$out"
run events --json
ok "and no event of one" json "not [e for e in r if e['kind'].startswith('result')]"
start_serve
run backup run docs --dry-run --json
ok "the same with a runtime that serves" json "r['dryEnd'] and r['hooks'][-1]['acts'][-1]['method'] == 'POST'"
ok "again only safe requests arrived" test "$(sort -u requests.log)" = "GET /"
run provider call acme testConnection --connection vault
ok "a hook is called with a connection of the data directory" says "msg: it is there"
end_serve
run backup run docs --wait
ok "a run that is meant does it" grep -qx "POST /jobs" requests.log
run backup run nothere --dry-run
ok "a dry run of nothing exits 4" exits 4
run help backup run
ok "the help says what a dry run does" says "safe requests (GET, HEAD"

# provider repl
printf '1 + 1\nx = {\n  1,\n}\nx[1]\n\nlog.info("hello")\n' >typed
run provider repl acme <typed
ok "lines from a pipe are run one by one" test "$status $out" = "0 2
1
    log info: hello"
printf 'json.decode("[1")\nnosuch()\n"still here"\n' >typed
run provider repl ./providers/acme.lua <typed
ok "a line that fails exits 1 at the end" exits 1
ok "says why" complains "undefined global 'nosuch'"
ok "and the next one is run" says '"still here"'
run provider repl nothere </dev/null
ok "a provider that is not there is told at once" exits 4
printf 'for i = 1, 2 do' >typed
run provider repl acme <typed
ok "a line that never ends is an error" test "$status" = 1
printf 'connection.name\nhttp.get(connection.serviceUrl).status\nhttp.post(connection.serviceUrl .. "/jobs", { json = { key = 1 } }).status\n' >typed
: >requests.log
run provider repl acme --connection vault <typed
ok "a connection is at hand, and requests wait" says '"vault"'
ok "for their answers" says "200"
ok "what is mutating is not done" says "would POST $url/jobs"
ok "nothing else arrived" test "$(cat requests.log)" = "GET /"
run provider repl acme --really --connection vault <typed
ok "unless that is meant" grep -qx "POST /jobs" requests.log
