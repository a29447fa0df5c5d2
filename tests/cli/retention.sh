. "$1" # What a Backup keeps: real files of good results stay or go, and what cannot be deleted is told.

# Puts a file onto a shelf. A file "hold" there keeps it from deleting, "broken" makes it fail, "slow" makes it wait, "fail" fails the backup.
cat >"$providers/shelf.lua" <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "shelf", name = "Shelf", version = "1.0.0",
  needs = { read = { "${option.target}" }, write = { "${option.target}" } },
  optionTypes = { { fieldName = "target", inputType = "text", required = true } },
}

local function at(subject, name) return subject:getConfigProperty("target") .. "/" .. name end

function provider.executeBackup(backup, backupResult)
  if fs.exists(at(backup, "fail")) then return false, "the shelf is full" end
  backupResult.resultPath = at(backup, backupResult.uuid .. ".box")
  fs.write(backupResult.resultPath, "box " .. backupResult.uuid .. string.rep("x", 100))
  backupResult.status = "SUCCEEDED"
end

function provider.deleteBackupResult(backupResult, opts)
  local backup = backupResult.backup
  if fs.exists(at(backup, "hold")) then return false, "on hold until the audit" end
  if fs.exists(at(backup, "broken")) then error("the shelf does not answer") end
  if fs.exists(at(backup, "slow")) then
    fs.write(at(backup, "deleting"), opts.trigger)
    sleep(20)
  end
  if fs.exists(backupResult.resultPath) then fs.remove(backupResult.resultPath) end
  return true
end

return provider
LUA
mkdir shelf
boxes() { ls shelf | grep -c box; }
has_boxes() { [ "$(boxes)" -eq "$1" ]; }
newest() { o result ls --backup "$1" --limit 1 --json | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["uuid"])'; }

# ---- bad input
for wrong in "--keep-last 0" "--keep-last -1" "--keep-last abc" "--keep-last 1e9" "--keep-last 1000000000" "--keep-last 2.5" "--keep-days 0" \
  "--keep-days -1" "--keep-days many" "--keep-days 1e9"; do
  run backup create wrong --provider shelf --set target="$PWD/shelf" $wrong
  ok "$wrong is refused" exits 2
  ok "$wrong is one line that names it" sh -c '[ "$(wc -l <err)" -eq 1 ] && grep -Eiq "keep-?(last|days)" err'
done
run backup show wrong
ok "and nothing was made" exits 4
sed -e '/deleteBackupResult/d' -e 's/code = "nap"/code = "keeper"/' "$providers/nap.lua" >"$providers/keeper.lua"
run backup create wrong --provider keeper --set seconds=0 --keep-last 3
ok "a provider that cannot delete is refused" exits 2
ok "by its name" complains "the provider 'keeper' cannot"

# ---- without a serve: run --wait does it by itself
run backup create docs --provider shelf --set target="$PWD/shelf" --keep-last 2
ok "a Backup that keeps two" exits 0
for i in 1 2 3 4; do o backup run docs --wait >/dev/null 2>&1; done
ok "two are left" has_boxes 2
ok "and two records" test "$(o result ls --backup docs --json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')" -eq 2
uuid=$(newest docs)
ok "the newest is whole" test "$(cat "shelf/$uuid.box")" = "box $uuid$(printf 'x%.0s' $(seq 100))"
run events --backup docs
ok "it is told" says "result 1 (retention)"
touch shelf/fail
run backup run docs --wait
ok "a failure" exits 1
ok "deletes nothing" has_boxes 2
rm shelf/fail
run backup show docs --json
ok "show counts what is kept" json 'r["retention"] == {"kept": 3, "left": 0, "refused": 0}'

# ---- a provider that says no
touch shelf/hold
run backup run docs --wait
ok "the run is good all the same" exits 0
ok "and says that something was not deleted" complains "retention: 1 result could not be deleted: on hold until the audit"
ok "the box is there" has_boxes 3
run result ls --backup docs
ok "the record too, with the reason" says "not deleted: on hold until the audit"
run result ls --backup docs --json
id=$(get out '[x["uuid"] for x in r if x["deleteMessage"]][0]')
ok "which is the oldest" json '[x["id"] for x in r if x["deleteMessage"]] == [min(x["id"] for x in r)]'
run result show "$id"
ok "show says it" says "on hold until the audit"
run status
ok "status has a place for it" says "Not deleted, though kept no longer:"
ok "and is well otherwise" exits 0
run events --backup docs
ok "an event" says "retention.halted"
run backup prune docs --dry-run
ok "a dry prune" exits 0
ok "says how many" says "docs: 1 result would be deleted, 3 kept"
ok "and deletes none" has_boxes 3
run backup prune docs
ok "a prune that is refused exits 1" exits 1
ok "and says why" says "on hold until the audit"
rm shelf/hold
run backup prune docs --json
ok "asked again, it goes" json '[x["uuid"] for x in r["deleted"]] == ["'"$id"'"] and r["left"] == 0'
ok "with its box" not test -e "shelf/$id.box"
run status
ok "and status is silent again" not says "Not deleted"
run backup prune nope
ok "no such Backup" exits 4
run backup create all --provider nap --set seconds=0
run backup prune all
ok "one without a policy keeps all" says "all keeps all of its 0 results"

# ---- a provider that fails, under a serve
start_serve
touch shelf/broken
o backup run docs --wait >/dev/null 2>&1
refused() { o result ls --backup docs --json | grep -q '"deleteMessage":"[^"]*the shelf does not answer'; }
ok "an error is tried again, and then kept" until_ok refused
ok "three times" test "$(o events --backup docs --limit 1000 | grep -c 'the shelf does not answer')" -eq 3
rm shelf/broken
run backup prune docs
ok "a prune through the daemon" exits 0
ok "all is well" has_boxes 2

# ---- what gets too old goes without a new result
run backup create young --provider shelf --set target="$PWD/shelf" --keep-days 0.00004
o backup run young --wait >/dev/null 2>&1
o backup run young --wait >/dev/null 2>&1
only_one() { [ "$(o result ls --backup young --json | grep -c '"uuid"')" -le 1 ] && has_boxes 3; }
ok "the older one goes by itself, the newest stays" until_ok only_one

# ---- killed in the midst of a deletion
touch shelf/slow
uuids=$(o result ls --backup docs --json | python3 -c 'import json,sys; print(" ".join(x["uuid"] for x in json.load(sys.stdin) if x["status"] == "SUCCEEDED"))')
o backup run docs --wait >/dev/null 2>&1
ok "a deletion is going on" until_ok test -e shelf/deleting
ok "its trigger is told" test "$(cat shelf/deleting)" = retention
kill -KILL "$serve"
wait "$serve" 2>/dev/null
rm -f shelf/slow shelf/deleting
run result ls --backup docs --status SUCCEEDED --json
ok "the record is still there" json 'len(r) == 3'
start_serve
ok "the next runtime deletes it" until_ok has_boxes 3
for u in $uuids; do last=$u; done
ok "the right one" not test -e "shelf/$last.box"
run result ls --backup docs --status SUCCEEDED --json
ok "and two are left" json 'len(r) == 2'
run result ls --backup young --json
ok "the newest of those that are too old is there still" json 'len(r) == 1'
end_serve
ok "the daemon ends well" test $? -eq 0

# ---- a provider that loses the hook
sed -i 's/function provider.deleteBackupResult/local function gone/' "$providers/shelf.lua"
run backup run docs --wait
ok "the run is good" exits 0
ok "and says what retention lacks" complains "the provider 'shelf' cannot delete results"
run status
ok "status has it" says "Retention cannot work:"
run backup show docs
ok "the Backup too" says "cannot delete results"

# ---- the archive provider, on real files
command -v tar >/dev/null && command -v zstd >/dev/null || { echo "skip archive: tar or zstd is missing"; exit 0; }
a() { "$ORRERY" --data "$PWD/archived" "$@"; }
mkdir source archives
head -c 100000 /dev/urandom >source/file
a backup create files --provider archive --set path="$PWD/source" --set target="$PWD/archives" --keep-last 2 >/dev/null
for i in 1 2; do a backup run files --wait >/dev/null 2>&1; done
sha256sum archives/* >sums
ok "two archives" test "$(ls archives | wc -l)" -eq 2
a backup run files --wait >/dev/null 2>&1
ok "still two" test "$(ls archives | wc -l)" -eq 2
ok "one of the first two is gone" sh -c '! sha256sum -c --quiet sums 2>/dev/null'
ok "the other is what it was, byte for byte" test "$(sha256sum -c sums 2>/dev/null | grep -c OK)" -eq 1
ok "the jobs of what is gone went too" test "$(ls archived/jobs | wc -l)" -eq 2
