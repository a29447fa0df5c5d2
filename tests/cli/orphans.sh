. "$1" # What a removal by force leaves outside: orphans ls, orphans rm, and the line of status.

cat >providers/keeps.lua <<'LUA'
local provider = Provider { apiVersion = 1, code = "keeps", name = "Keeps", version = "1.0.0" }
function provider.executeBackup(backup, backupResult)
  backupResult.externalId, backupResult.status = "snap-7", "SUCCEEDED"
end
function provider.deleteBackupResult() return false, "locked until May" end
return provider
LUA

run orphans ls
ok "there are no orphans at first" exits 0
o backup create docs --provider keeps >/dev/null
o backup run docs --wait >/dev/null
id=$(o result ls --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["uuid"][:8])')
run result rm "$id" --yes
ok "a deletion that is halted exits 1" exits 1
ok "and says why" complains "locked until May"
run orphans ls --json
ok "and makes no orphan" json 'r == []'
run result rm "$id" --yes --force
ok "by force it is removed" exits 0
run orphans ls
ok "what is outside is listed by its key" says "$id"
ok "by its id outside" says "snap-7"
ok "and with the reason" says "forced"
run status
ok "status says that there is one" says "1 orphan, which may still be outside without a record here: orrery orphans ls"
ok "and that nobody need look at once" exits 0
run orphans rm "$id"
ok "taking it off wants a yes" exits 2
run orphans rm nosuchorphan --yes
ok "one that is not there exits 4" exits 4
run orphans rm "$id" --yes
ok "it can be taken off the list" exits 0
run orphans ls --json
ok "which is empty then" json 'r == []'
