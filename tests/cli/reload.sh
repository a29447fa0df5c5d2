# Providers that change: rollback, trust, what is kept over a restart, stateVersion, as people type it.
. "$1"

# make VERSION [DECLARATION]: the provider `acme`, by renaming over.
make() {
  cat >acme.new <<LUA
local provider = Provider { apiVersion = 1, code = "acme", name = "Acme", version = "$1", ${2:-} }
function provider.executeBackup(backup, backupResult)
  backupResult.statusMessage = "by $1, stored by " .. (backup.stateVersion or 1)
  backupResult.status = "SUCCEEDED"
end
return provider
LUA
  mv acme.new "$providers/acme.lua"
}
live() { o provider show acme --json >live.json && [ "$(get live.json 'r["version"]')" = "$1" ]; }
old() { sleep 0.2; } # older than it takes to settle: complete

# ---- without serve: every command is a restart
make 1.0 'needs = { http = { "https://*.acme.example" }, read = { "/srv" } }'
run backup create one --provider acme
run backup run one --wait
ok "the first version runs" says "by 1.0"
make 1.1 'needs = { http = { "https://eu.acme.example" }, read = { "/srv/acme" } }'
run backup run one --wait
ok "one that needs less is live at once" says "by 1.1"
echo "if then" >"$providers/acme.lua"
old
run backup run one --wait
ok "with a broken file the last good version runs" says "by 1.1"
ok "and it is said" complains "acme.lua:1"
run provider ls
ok "provider ls says it, too" says "acme.lua:1"
run status
ok "and status" says "acme.lua:1"
rm "$providers/acme.lua"
run backup run one --wait
ok "with no file at all it runs" says "by 1.1"
ok "and it is said" complains "its file is gone"

make 1.2 'needs = { http = { "https://*.acme.example" }, read = { "/srv/acme" } }'
run backup run one --wait
ok "one that needs more waits, though it was granted that once" says "by 1.1"
ok "it says what for" complains "needs more than is granted: http https://*.acme.example"
sha=$(sed -n 's/.*orrery provider trust acme \([0-9a-f]\{12\}\).*/\1/p' err | head -n 1)
ok "and what to type" test -n "$sha"
run provider show acme
ok "provider show has what is granted" says "http  https://eu.acme.example"
ok "and what waits" says "waiting             http https://*.acme.example"
run provider reload acme
ok "reload does not get around it" exits 5
run provider trust acme
ok "trust is of files that one names" exits 2
run provider trust acme "$(printf %.7s "$sha")"
ok "by eight characters of their hash at least" exits 2
run provider trust acme 00000000
ok "others are not trusted" exits 5
ok "and it is said which wait" complains "what waits for trust is not '00000000' any more: provider 'acme': version 1.2 needs more"
ok "and what to type for that" complains "orrery provider trust acme $sha"
run provider trust acme "$sha"
ok "trust makes it live" says "acme: live: version 1.2"
run backup run one --wait
ok "then it runs" says "by 1.2"
run provider trust acme "$sha"
ok "nothing waits any more" exits 5
ok "which is said" complains "nothing of provider 'acme' waits for trust"
run provider trust nobody 00000000
ok "of an unknown one, too" exits 4

run provider rollback acme
ok "rollback goes back to the version before" says ") is live, instead of 1.2 ("
run backup run one --wait
ok "it runs after a restart, too" says "by 1.1"
run provider ls
ok "provider ls says that it was rolled back" says "rolled back"
run provider rollback acme
ok "again is further back" says ") is live, instead of 1.1 ("
run provider rollback acme
ok "until there is none" exits 5
ok "which is said" complains "no earlier version of provider 'acme' is kept"
run provider show acme --json
get out '[v["sha256"] for v in r["versions"] if v["version"] == "1.2"][0]' >sha
ok "all of them are kept" json '[v["version"] for v in r["versions"]] == ["1.2", "1.1", "1.0"]'
run provider rollback acme --to "$(cut -c1-12 sha)"
ok "one can go to any of them" says "acme: version 1.2 ("
ok "what the file is needs no holding" says "that is what its files are"
run provider rollback acme --to 000
ok "three letters of a hash are too few" exits 2
run provider rollback acme --to 00000000
ok "one that is not kept is not found" exits 4
run provider rollback acme --to "$(cut -c1-12 sha)"
run provider rollback acme
make 1.3 'needs = { read = { "/srv/acme" } }'
run backup run one --wait
ok "a rollback lasts until the file changes" says "by 1.3"
run --setting provider_trust=always provider ls
make 1.4 'needs = { exec = { "tar" } }'
run --setting provider_trust=always backup run one --wait
ok "where nobody asks nothing waits" says "by 1.4"

make 2.0 'stateVersion = 2'
run backup run one --wait
ok "a version that cannot read what is stored is not live" says "by 1.4"
run provider ls
ok "it says which cannot read what" says "version 2.0 has stateVersion 2 and cannot read what is stored: 1 Backup, written with stateVersion 1"
make 2.1 'stateVersion = 2, readsState = { 1 }'
run provider reload acme
ok "one that can is" says "live: version 2.1"
run backup create two --provider acme
run provider rollback acme
ok "there is no way back to one that cannot read it" exits 5
ok "which is said" complains "version 1.4 has stateVersion 1 and cannot read what is stored: 1 Backup, written with stateVersion 2"
run backup run two --wait
ok "the hook sees which it is" says "by 2.1, stored by 2"
run backup run one --wait
ok "of an older Backup, too" says "by 2.1, stored by 1"
run result ls --backup two --json
ok "and the result has it" json 'r[0]["stateVersion"] == 2'
printf 'local provider = Provider { apiVersion = 1, code = "odd", name = "O", version = "1", stateVersion = 0, readsState = { "x" } }\nfunction provider.executeBackup() end\nreturn provider\n' >odd.lua
run provider check odd.lua
ok "stateVersion is a whole number" says "stateVersion must be a whole number from 1"
ok "readsState an array of them" says "readsState must be an array of whole numbers"

# ---- what a check warns of
sed 's/"acme"/"doubt"/; s/backupResult.status = /backupResult.statusMesage = 1 backupResult.status = /' "$providers/acme.lua" >"$providers/doubt.lua"
run provider reload doubt
ok "a version with a warning goes live" exits 0
ok "which is said with it" says "doubt.lua:4: BackupResult has no field 'statusMesage' (did you mean 'statusMessage'?)"
ok "and logged" complains "doubt.lua:4: BackupResult has no field 'statusMesage'"
run provider show doubt
ok "it is no news the next time" test -z "$err"
ok "but shown" says "unknown_field"
run provider ls
ok "in the list, too" says "doubt.lua:4: BackupResult has no field"
run status
ok "it is no problem" not says "doubt.lua"
rm "$providers/doubt.lua"
run provider forget doubt

# ---- a provider that is not wanted any more
sed 's/"acme"/"gone"/' "$providers/acme.lua" >"$providers/gone.lua"
run backup create three --provider gone
run provider forget gone
ok "one that is in use is not forgotten" exits 5
ok "which is said" complains "provider 'gone' is in use: 1 Backup, 0 connections"
run backup rm three --yes
run provider forget gone
ok "nor one that has a file" exits 5
ok "which is named" complains "gone.lua first"
rm "$providers/gone.lua"
run provider ls
ok "without it, it is a problem" says "no provider 'gone': its file is gone"
run provider forget gone
ok "until it is forgotten" says "provider gone forgotten"
run provider ls
ok "then it is no more" sh -c "! grep -q gone out"
run provider forget gone
ok "nor can it be forgotten again" exits 4

# ---- with a serve that waits long for files to settle
: >serve.log
later serve --log-format logfmt --setting reload_settle_ms=600000 2>>serve.log &
serve=$!
until_ok grep -q msg=ready serve.log
run provider ls
make 2.9 'stateVersion = 2, readsState = { 1 }'
run backup run one --wait
ok "what has not settled does not run" says "by 2.1"
run provider reload acme
ok "reload does not wait for it" says "acme: live: version 2.9"
end_serve

# ---- with serve
start_serve
run provider ls
make 3.0 'stateVersion = 2, readsState = { 1 }'
ok "a saved file is live without anybody asking" until_ok grep -q 'version 3.0 .* is live' serve.log
run backup run one --wait
ok "and runs" says "by 3.0"
end_serve
start_serve --setting reload_settle_ms=600000
make 3.1 'stateVersion = 2, readsState = { 1 }'
ok "so is the next one" until_ok live 3.1
run provider reload acme
ok "once is enough" says "acme: unchanged: version 3.1"
echo "if then" >"$providers/acme.lua"
run provider reload acme
ok "of a broken one it says what is wrong" exits 1
ok "with file and line, and what goes on" complains ") goes on"
run provider rollback acme
ok "one can go back from there" says ") is live, instead of 3.1 ("
run provider reload acme
ok "reload is no way around a rollback" says "acme: held: version 3.0"
end_serve
start_serve
make 3.2 'stateVersion = 2, readsState = { 1 }'
ok "a change of the file ends it" until_ok live 3.2
run backup run one --wait
run provider show acme --json
ok "calls are counted" json 'r["calls"] >= 1 and r["errors"] == 0 and r["inFlight"] == 0'
cat >"$providers/acme.lua" <<'LUA'
local provider = Provider { apiVersion = 1, code = "acme", name = "Acme", version = "4.0", stateVersion = 2, readsState = { 1 } }
function provider.executeBackup() error("the vendor is down") end
return provider
LUA
ok "one that only fails at run time is live" until_ok live 4.0
run backup run one --wait
run provider show acme --json
ok "its errors are counted" json 'r["errors"] == 1 and "the vendor is down" in r["lastError"]'
ok "and it stays" live 4.0
end_serve
ok "serve ends well" test $? -eq 0
