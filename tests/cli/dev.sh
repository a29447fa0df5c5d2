. "$1" # provider dev: at every save, however it is done, the provider is checked and its specs are run, until ^C.

mkdir -p acme/spec
version() {
  cat <<LUA
local provider = Provider { apiVersion = 1, code = "acme", name = "Acme", version = "$1" }
function provider.executeBackup(backup, backupResult) backupResult.$2 = "SUCCEEDED" end
return provider
LUA
}
version 1 status >acme/init.lua
spec() { printf 'describe("acme", function() it("counts", function() assert.equal(%s, 1) end) end)\n' "$1" >acme/spec/acme_spec.lua; }
spec 1
later provider dev ./acme >dev.log 2>&1 &
dev=$!
# seen N TEXT: a line with the text, for the N-th time.
seen() { until_ok eval "[ \$(grep -c -- '$2' dev.log) -ge $1 ]"; }
ok "it begins at once: the check" seen 1 "a working provider"
ok "what it declares" seen 1 "  hooks executeBackup"
ok "and the specs" seen 1 "1 passed, 0 failed"
ok "what passes is not listed" not grep -q "  ok " dev.log

version 2 statu >acme/init.lua
ok "a write in place is seen, with file and line and the nearest" seen 1 "acme/init.lua:2: warning: BackupResult has no field .statu. (did you mean .status.?)"
ok "a warning keeps no spec from being run" seen 2 "1 passed, 0 failed"
ok "it is said once" test "$(grep -c "no field .statu." dev.log)" = 1
echo "if then" >acme/init.lua
ok "what does not work is seen, too" seen 1 "acme: does not work"
version 3 status >acme/new.tmp
mv acme/new.tmp acme/init.lua
ok "so is a rename over it" seen 3 "a working provider"
ok "and the specs run again" seen 3 "1 passed, 0 failed"
ok "a provider that does not work runs no specs" test "$(grep -c "passed, " dev.log)" = 3
spec 2
ok "a spec that fails is shown" seen 1 "FAILED"
ok "with its line" seen 1 "acme_spec.lua:1"
ok "and counted" seen 1 "0 passed, 1 failed"
rm acme/spec/acme_spec.lua
spec 1
ok "a file that is taken away and made again is seen" seen 4 "1 passed, 0 failed"
version 4 status >elsewhere.lua
ln -sfn "$PWD/elsewhere.lua" link
rm acme/init.lua
ln -s "$PWD/link" acme/init.lua
ok "a link that takes its place, too" seen 5 "1 passed, 0 failed"
rm acme/init.lua
version 5 status >acme/init.lua
seen 6 "1 passed, 0 failed"
count=$(grep -c acme dev.log)
touch acme/.init.lua.swp acme/init.lua~ acme/4913
rm acme/4913
sleep 1
ok "an editor's own files are no news" test "$(grep -c acme dev.log)" = "$count"
printf 'describe("acme", function() it("hangs", function() while true do end end) end)\n' >acme/spec/acme_spec.lua
seen 7 "a working provider"
sleep 1
spec 1
ok "a spec that hangs is ended by the next save" seen 7 "1 passed, 0 failed"
mv acme gone
sleep 0.5
mv gone acme
version 6 statux >acme/init.lua
ok "a folder that was away is watched again" seen 1 "statux"
kill -INT $dev
wait $dev
status=$?
ok "^C ends it" exits 130
ok "and what it started" test -z "$(pgrep -P $dev || true)"

cp acme/spec/acme_spec.lua single_spec.lua
version 1 status | sed 's/"acme"/"single"/' >single.lua
: >dev.log # the one before said as much
later provider dev single.lua >dev.log 2>&1 &
dev=$!
ok "a provider of one file, too" seen 1 "1 passed, 0 failed"
kill -TERM $dev
wait $dev
status=$?
ok "TERM ends it as well" exits 130
mkdir empty
run provider dev empty
ok "nor is a folder without a provider watched for ever" exits 4
run provider dev ""
ok "nor nothing" exits 4
echo text >notes.txt
run provider dev notes.txt
ok "nor another file" exits 4
ok "in one line" complains "is no provider: that is a folder with an init.lua, or a .lua file"
run provider dev nothere
ok "a folder that is not there exits 4" exits 4
ok "in one line" test "$(wc -l <err)" = 1
