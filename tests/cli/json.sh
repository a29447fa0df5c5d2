. "$1" # The forms that programs rely on.

run backup create one --provider nap --set seconds=0.3 --json
ok "create exits 0" exits 0
ok "create says success, msg, errors and the Backup" json 'r["success"] is True and r["errors"] == {} and "msg" in r and r["backup"]["name"] == "one"'
run backup create one --provider nap --set seconds=0.3 --json
ok "a taken name exits 2" exits 2
ok "a failure says so in JSON" json 'r["success"] is False and r["msg"] and r["code"] == "exists" and r["exit"] == 2'
run backup create two --provider nap --set seconds=x --set wrong=1 --json
ok "errors are per field" json '{"seconds", "wrong"} <= set(r["errors"])'
run backup creat --json
ok "wrong usage is JSON too" json 'r["success"] is False'

run backup run one --wait --json
ok "run --wait exits 0" exits 0
ok "run --wait prints the finished result alone" json 'r["status"] == "SUCCEEDED" and r["backupName"] == "one" and r["attention"] is None and r["endDate"] >= r["startDate"]'
ok "one object, one line" test "$(wc -l <out)" -eq 1
ok "nothing else is printed" test -z "$err"
run backup run one --json
ok "run prints the result as it stands" json 'r["status"] == "IN_PROGRESS" and len(r["uuid"]) == 36'
ok "a command says that refreshing waits" complains "orrery serve"
run result ls --backup one --json
ok "result ls is an array, newest first" json 'len(r) == 2 and r[0]["id"] > r[1]["id"] and "attention" in r[0]'
run result ls --status NONSENSE --json
ok "an unknown status exits 2" exits 2
for reading in "provider ls" "connection ls" "cloud ls" "server ls" "backup ls" "events"; do
  run $reading --json
  ok "$reading --json is an array" json 'isinstance(r, list)'
done
run status --json
ok "status is an object" json 'r["role"] == "command" and r["backups"] == 1'
run provider show nap --json
ok "provider show has options" json '[o["fieldName"] for o in r["options"]][0] == "seconds"'
run provider check "providers/nap.lua" --json
ok "provider check takes a relative path" json 'r["ok"] is True'
printf 'local provider = Provider {\n' >broken.lua
run provider check broken.lua
ok "a provider that does not compile exits 1" exits 1
ok "a provider that does not compile: file and line" says "broken.lua:"
run cloud add aws --set regionCode=eu --json
ok "cloud add" json 'r["success"] and r["name"] == "aws" and r["regionCode"] == "eu"'
run server add web --cloud aws --host web.example.org --set platform=linux --json
ok "server add" json 'r["success"] and r["hostname"] == "web.example.org"'
run cloud rm aws --yes
ok "what is referred to is not removed" exits 5
run server rm web --json
ok "removing wants --yes where nobody can be asked" exits 2
run server rm web --yes --json
ok "removed" json 'r["success"] and r["removed"] == "web"'
printf 'geheim\n' >secret
o connection add c --provider nap --url https://x.example --username u --port 8443 --password-stdin --json <secret >out 2>err
status=$?
ok "connection add" json 'r["success"] and r["serviceUrl"] == "https://x.example" and r["port"] == 8443'
ok "the secret is not printed" sh -c '! grep -q geheim out err'
run db check --json
ok "db check" json 'r["ok"] is True'
run db backup copy.db --json
ok "db backup takes a relative path" test -s copy.db
