. "$1" # The doctor: what it finds where things are well, where nothing runs, and where each thing is broken; and that it changes nothing.

# finds LEVEL CHECK WORDS: is there such a finding in $out?
finds() { printf '%s\n' "$out" | grep -q -e "^$1  *$2 .*$3"; }
todo() { printf '%s\n' "$out" | grep -q -e "$1.*  -> .*$2"; }
none() { ! printf '%s\n' "$out" | grep -q "^$1 "; }
state() { (cd "$data" && find . ! -name lock ! -name . -printf '%p %m %s %T@\n' | sort && sha256sum orrery.db secret.key) 2>&1; }

run doctor
ok "a first look is well" exits 0
ok "and makes no data directory" test ! -e "$data"
ok "which it says is not there yet" finds ok directory "not there yet"
ok "providers load all the same" finds ok providers nap
ok "the job runner starts" finds ok runner "of this version"
ok "libraries are told" finds ok libraries SQLite

o backup create home --provider nap --set seconds=0 --schedule "0 2 * * *" --tz Europe/Berlin >/dev/null
o backup run home --wait >/dev/null 2>&1
before=$(state)
run doctor
ok "with nobody there, it looks for itself" finds ok database sound
ok "a schedule that nobody fires is a warning" finds warning schedules "no .orrery serve. runs"
ok "with what to do" todo schedules "orrery serve"
ok "warnings exit 0" exits 0
ok "and nothing has changed" test "$before" = "$(state)"
run doctor --quiet
ok "--quiet has only what is not well" none ok
run doctor --json
ok "--json is a list of findings" json 'all(f["level"] in ("ok", "warning", "problem") and f["check"] and f["text"] for f in r) and any(f["todo"] for f in r)'

start_serve
run doctor
ok "serve is asked" finds ok holder "held by .orrery serve., pid $serve"
ok "and its version compared" finds ok version "both are"
ok "its schedules are well" finds ok schedules "active: 1"
ok "zones in use are looked up" finds ok zones "zones in use: 1"
ok "nothing else is wrong" exits 0
kill -STOP "$serve"
(sleep 4; kill -CONT "$serve") &
run doctor
ok "one that is busy for some seconds is waited for" finds ok holder "held by .orrery serve., pid $serve"
kill -STOP "$serve"
run doctor
kill -CONT "$serve"
ok "a serve that hangs is a problem" exits 1
ok "it is named" finds problem holder "process $serve holds"
ok "with what to do" todo "does not answer" "kill $serve"
ok "providers load apart" finds ok providers nap
end_serve

# One that has just begun holds the directory and cannot be reached yet.
(flock 9; exec sleep 2) 9>"$data/lock" &
until_ok sh -c "! flock -n '$data/lock' true"
run doctor
ok "one that cannot be reached yet is waited for" not finds problem holder

# A database that an older orrery made has fewer columns: the next one that opens it adds them.
sqlite3 "$data/orrery.db" 'ALTER TABLE backup DROP COLUMN keepLast'
run db check
ok "a column that came later is no damage" exits 0
run doctor
ok "nor for the doctor" finds ok database sound

# Each thing broken by itself, on a copy.
cp -r "$data" whole
broken() { rm -rf "$data"; cp -r whole "$data"; }
chmod 755 "$data"
run doctor
ok "a folder that others may enter" finds warning directory "mode 0755"
broken
chmod 640 "$data/secret.key"
run doctor
ok "a key that others may read" finds problem key "others may read"
ok "is a problem" exits 1
broken
rm "$data/secret.key"
before=$(state)
run doctor
ok "a key that is missing" finds problem key "is missing"
ok "and no new one is made" test "$before" = "$(state)"
cp whole/secret.key other.key
run --setting key_file="$PWD/other.key" doctor
ok "a key elsewhere is looked at there" finds ok key "$PWD/other.key, mode 0600"
broken
: >"$data/secret.key"
run doctor
ok "a key that is cut off" finds problem key "cut off"
broken
python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(4096 * 3); f.write(b"\377" * 8192)' "$data/orrery.db"
before=$(state)
run doctor
ok "a damaged database" finds problem database damaged
ok "with what to do" todo damaged "orrery db backup"
ok "stays as it is" test "$before" = "$(state)"
broken
sqlite3 "$data/orrery.db" 'PRAGMA user_version = 99'
run doctor
ok "a database of a newer orrery" finds problem database "schema 99"
broken
sqlite3 "$data/orrery.db" "UPDATE event SET date = date + 7200000 WHERE id = (SELECT max(id) FROM event)"
run doctor
ok "a clock that was set back" finds problem clock "but the last event was recorded at"
broken
mkdir -p "$data/jobs/11111111-2222-4333-8444-555555555555/copy"
run doctor
ok "a job of no result" finds warning jobs "belong to no result"
broken
o connection add vault --provider nap >/dev/null
o backup create with --provider nap --set seconds=0 --connection vault >/dev/null
sqlite3 "$data/orrery.db" "UPDATE connection SET enabled = 0"
run doctor
ok "a connection that is disabled and used" finds warning connections "vault is disabled, and 1 Backup uses it"
broken
sqlite3 "$data/orrery.db" "UPDATE backup SET timeZone = 'Europe/Atlantis'"
run doctor
ok "a zone that is gone" finds problem zones "no zone Europe/Atlantis, which Backup home uses"
broken
sqlite3 "$data/orrery.db" "UPDATE result SET attention = 'lost_external'"
run doctor
ok "a result that waits for somebody" finds warning attention "wait for somebody: 1"
broken
sqlite3 "$data/orrery.db" "UPDATE backup SET attention = 'unknown_update'"
run doctor
ok "a Backup that waits for somebody" finds warning attention "Backups: 1"
run status
ok "is not counted as one that is well" says "1 Backup: 1 in need of attention"
broken
run --setting runner_path=/nonexistent/runner doctor
ok "a missing job runner" finds problem runner "No such file"
printf '#!/bin/sh\necho orrery-runner 0.0.1\n' >runner
chmod +x runner
run --setting runner_path="$PWD/runner" doctor
ok "a job runner of another version" finds problem runner "0.0.1"
run --setting zoneinfo=/nonexistent doctor
ok "no time zone database" finds problem zones "no zone Europe/Berlin"
(ulimit -n 256 && o doctor >out)
out=$(cat out)
ok "few open files" finds warning limits "only 256"

cp providers/nap.lua good
echo "broken(" >providers/odd.lua
run doctor
ok "a provider that nothing uses is a warning" finds warning providers "odd.lua:2"
ok "with how to check it" todo odd.lua "orrery provider check"
echo "broken(" >providers/nap.lua
sleep 0.2 # what is younger than reload_settle_ms may not be all of it: nobody is told yet
run doctor
ok "one that is used goes on as it was" finds warning providers "nap goes on with its last good version.*nap.lua:2"
# One whose last version does not load either: by the virtual clock it is long ago.
sed 's/"nap"/"fussy"/; s/^return provider/function provider.selfTest() return os.time() > 1780000000, "too early" end\nreturn provider/' good >providers/fussy.lua
run backup create picky --provider fussy --set seconds:=1
sleep 0.2
run --setting clock=virtual doctor
ok "one that is used and does not load is a problem" finds problem providers "fussy.lua.*too early.*which 1 Backup uses"
run backup rm picky --yes
rm providers/odd.lua providers/fussy.lua
sed 's/needs = {/needs = { exec = { "no-such-tool", "pg_dumpall" },/' good >providers/nap.lua
out=$(PATH=$PWD o --setting provider_trust=always doctor)
ok "a program that is not on the PATH" finds problem programs "no-such-tool is not on the PATH"
ok "with its package" todo pg_dumpall "apt install postgresql-client"
mkdir -p "$PWD/opt/1/bin" "$PWD/opt/2/bin"
printf '#!/bin/sh\n' >opt/2/bin/versioned
chmod +x opt/2/bin/versioned
sed "s^needs = {^needs = { exec = { \"versioned\", \"\${connection.host}/versioned\", \"$PWD/opt/*/bin/versioned\" },^" good >providers/nap.lua
run --setting provider_trust=always doctor
ok "a program that is found at one of its places is found" finds ok programs "found: 1, of 1"
ok "and nothing else is wrong" exits 0
rm -r opt
run doctor
ok "at none of them it is missing once" test "$(grep -c versioned out)" -eq 1
cp good providers/nap.lua
sed 's/code = "nap"/code = "spare"/; s/needs = {/needs = { exec = { "psql", "pg_dump", "no-such-tool" },/' good >providers/spare.lua
out=$(PATH=$PWD o doctor)
ok "what a provider would need that no Backup uses is no warning" none warning.*spare
ok "but told, in one line for a package" finds ok programs "provider spare, which no Backup uses, would need psql, pg_dump: apt install postgresql-client"
rm providers/spare.lua

# What a runtime has read of a zone it still has when the file goes.
mkdir -p zones/Europe
cp /usr/share/zoneinfo/Europe/Berlin zones/Europe/
: >serve.log # the one before said ready too
later --setting zoneinfo="$PWD/zones" serve --log-format logfmt 2>>serve.log &
serve=$!
until_ok grep -q msg=ready serve.log
run doctor
ok "a zone that is there, as serve sees it" finds ok zones "zones in use: 1"
rm zones/Europe/Berlin
run doctor
ok "a zone that went while serve runs" finds problem zones "no zone Europe/Berlin, which Backup home uses"
end_serve

rm -rf "$data"
echo >"$data"
run doctor
ok "a data directory that is a file" finds problem directory "Not a directory"
ok "is a problem" exits 1
rm "$data"
run --setting nonsense=1 doctor
ok "wrong settings are wrong usage" exits 2
