. "$1" # A person's word: result resolve, backup resolve, and what status says to do.

cat >providers/lost.lua <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "lost", name = "Lost", version = "1.0.0", refreshInterval = 0.1, needs = { exec = { "true" } },
  optionTypes = { { fieldName = "where", inputType = "text" } },
}
function provider.createBackup(backup)
  if backup:getConfigProperty("where") == "create" then
    process.run { argv = { "true" } }
    error("the reply was lost")
  end
end
function provider.executeBackup(backup, backupResult, executionConfig)
  if executionConfig.well then
    backupResult.status = "SUCCEEDED"
    return true
  end
  process.run { argv = { "true" } }
  error("the reply was lost")
end
function provider.refreshBackupResult(backupResult)
  backupResult.status = backupResult.externalId == "job-1" and "SUCCEEDED" or "FAILED"
end
return provider
LUA

run status
ok "status exits 0 while nothing needs anybody" exits 0
o backup create docs --provider lost >/dev/null
run backup run docs --wait
ok "a start that may have happened exits 8" exits 8
ok "and says what to do" says "unknown_start: see whether docs's job exists outside, then: orrery result resolve"
id=$(o result ls --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["uuid"][:8])')
for command in status "result ls" "backup ls" "result show $id"; do
  run $command
  ok "$command says what to do" says "then: orrery result resolve $id --ran ID | --did-not-run | --retry"
done
run status
ok "status exits 8 while somebody has to look" exits 8
run status --json
ok "with --json too" exits 8
ok "which has no advice in it" json 'r["attention"][0]["attention"] == "unknown_start" and r["drafts"] == []'

run result resolve "$id"
ok "one of the three must be said" exits 2
ok "which are named" complains "ran, didNotRun and retry"
run result resolve "$id" --ran x --retry
ok "and not two" exits 2
run result resolve nosuchresult --retry
ok "a result that is not there exits 4" exits 4
run result resolve "$id" --ran job-1
ok "--ran exits 0" exits 0
ok "and says that it goes on, who said so" says "resolved by $(id -un): it goes on outside as job-1"
ok "and that refreshing waits" complains "orrery result watch $id"
run result watch "$id"
ok "it goes on to its end" exits 0
run result resolve "$id" --did-not-run
ok "what needs nothing exits 5" exits 5
ok "and says why" complains "has ended already: SUCCEEDED"
run result show "$id" --journal
ok "the story has the word" says "resolved by"

run backup run docs --wait --json
id=$(get out 'r["uuid"]')
run result resolve "$id" --did-not-run --json
ok "--did-not-run" json 'r["success"] is True and r["result"]["status"] == "FAILED" and r["result"]["errorMessage"].endswith("it did not run") and r["retry"] is None'
run backup run docs --wait --json
id=$(get out 'r["uuid"]')
run result resolve "$id" --retry --json
ok "--retry exits as the new one is" exits 8
ok "--retry has both, linked" json 'r["result"]["status"] == "FAILED" and r["retry"]["retryOf"] == r["result"]["uuid"] and r["retry"]["attention"] == "unknown_start"'
id=$(get out 'r["retry"]["uuid"]')
run result resolve "$id" --did-not-run
run status
ok "then nothing needs anybody" exits 0

run backup create pics --provider lost --set where=create
ok "a creation that may have happened exits 8" exits 8
run status
ok "status exits 8 for a draft too" exits 8
ok "and says what to do" says "orrery backup resolve pics --created | --discard"
run backup resolve pics
ok "one of the two must be said" exits 2
run backup resolve docs --created
ok "a Backup is no draft" exits 5
run backup resolve nosuchdraft --discard
ok "no such draft exits 4" exits 4
run backup resolve pics --created --external-id policy-7
ok "--created" says "is a Backup now"
run backup show pics --json
ok "it is one" json 'r["name"] == "pics" and r["externalId"] == "policy-7"'
run backup create more --provider lost --set where=create
run backup resolve more --discard --json
ok "--discard" json 'r["success"] is True and r["backup"] is None'
run backup create more --provider lost
ok "its name is free" exits 0
run db check
ok "the database is sound" exits 0
