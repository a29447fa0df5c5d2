. "$1" # postgres while it runs: progress, cancel, the runtime's death, a tool's death, damage, a full disk, a server that dies
if [ "$(id -u)" -eq 0 ]; then echo "skip postgres: its server does not run as root"; exit 0; fi
. "${1%/*}/postgres.sh"

make_server main
start_server "$PWD/main"
printf 'hush-%s\n' "$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')" >password # of no other test beside this one
echo "create role keeper login replication password :'password'" | sql $port postgres -v password="$(cat password)"
echo "create database shop owner keeper" | sql $port postgres
echo "set role keeper; create table people as select g, repeat(md5(g::text), 5) as note from generate_series(1, 30000) g" | sql $port shop
links tools
o connection add db --provider postgres --set host=127.0.0.1 --set port=$port --set username=keeper --set password=@password --set binDir="$PWD/tools" >/dev/null
o backup create shop --provider postgres --connection db --set database=shop --set target="$PWD/kept" >/dev/null
o backup create all --provider postgres --connection db --set mode=cluster --set target="$PWD/kept" >/dev/null

sessions() { sql $port postgres -c "select count(*) from pg_stat_activity where application_name like 'orrery-%' $*"; }
has_sessions() { [ "$(sessions "$@")" -gt 0 ]; }
waits_for_lock() { has_sessions "and wait_event_type = 'Lock'"; }
# Holds the table, so that a dump of it waits; unlock lets it go on.
holders() { sql $port shop -c "select $1 from pg_locks where relation = 'people'::regclass and mode = 'AccessExclusiveLock' and granted"; }
is_locked() { [ "$(holders "count(*)")" -gt 0 ]; }
lock() {
  sql $port shop -c "begin" -c "lock people in access exclusive mode" -c "select pg_sleep(200)" >lock 2>&1 &
  until_ok is_locked
}
unlock() { holders "pg_terminate_backend(pid)" >/dev/null; }
count_starts() {
  wrap tools pg_dump <<SH
case "\$*" in *--version*) ;; *) echo started >>"$PWD/starts" ;; esac
exec "\$real" "\$@"
SH
  : >starts
}

# ---- the runtime dies in the middle ----
count_starts
lock
later backup run shop --wait >/dev/null 2>&1 &
runtime=$!
until_ok waits_for_lock
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' >cmdlines
ok "pg_dump is seen in the list of processes" grep -q -- --format=custom cmdlines
ok "its password is not" not grep -qFf password cmdlines
kill -9 "$runtime"
wait "$runtime" 2>/dev/null
newest
id=$(field uuid)
ok "after kill -9 of the runtime it is still in progress" ended IN_PROGRESS
ok "what it writes has no proper name yet" is "$(ls kept)" "$(field resultArchive).partial"
due=$(field nextActionDate)
later result watch "$id" --json >watched 2>/dev/null &
watch=$!
was_refreshed() { newest; [ "$(field nextActionDate)" -gt "$due" ]; }
until_ok was_refreshed
unlock
wait "$watch"
out=$(cat watched)
ok "another adopts it, and it succeeds" ended SUCCEEDED
ok "pg_dump was started once" is "$(wc -l <starts)" 1
ok "by one job, and verified by another" is "$(ls "data/jobs/$id" | tr '\n' ' ')" "backup verify "
ok "there is one dump" is "$(ls kept)" "$(field resultArchive)"

# ---- between the two jobs, and at the renaming ----
wrap tools pg_restore <<SH
case "\$*" in *--file=/dev/null*) [ -e "$PWD/go" ] || { touch "$PWD/reads"; while [ ! -e "$PWD/go" ]; do sleep 0.1; done; } ;; esac
exec "\$real" "\$@"
SH
later backup run shop --wait >/dev/null 2>&1 &
runtime=$!
until_ok test -e reads
kill -9 "$runtime"
wait "$runtime" 2>/dev/null
newest
id=$(field uuid)
ok "killed while it is verified, it has no proper name" test -e "$(field resultPath).partial"
ok "and has not succeeded" ended IN_PROGRESS
partial=$(field resultPath).partial
touch go
until_ok test -s "data/jobs/$id/verify/exit"
mv "$partial" "${partial%.partial}" # as if it had died just behind the renaming
run result watch "$id" --json
ok "it is taken up where it was" ended SUCCEEDED
ok "and is whole" "$programs/pg_restore" --file=/dev/null "$(field resultPath)"
unwrap tools pg_restore
o result rm "$id" --yes >/dev/null

# ---- cancel ----
lock
run backup run shop --json
id=$(field uuid)
until_ok waits_for_lock
run result cancel "$id" --wait --json
ok "a dump is cancelled" ended CANCELLED
ok "nothing of it runs on the server" is "$(sessions)" 0
ok "half a dump is not kept" is "$(ls kept | grep -c partial)" 0
run result rm "$id" --yes
ok "what was cancelled can be removed" exits 0

# ---- the job is killed: its session would wait on ----
run backup run shop --json
id=$(field uuid)
until_ok waits_for_lock
sed -n 's/^\(runner\|tool\)=//p' "data/jobs/$id/backup/begun" | xargs kill -9
run result watch "$id" --json
ok "a job that was killed: FAILED" ended FAILED
ok "which says so" is "$(field errorMessage)" "pg_dump was killed, or died with the machine"
until_ok not has_sessions
ok "its session is ended" is "$(sessions)" 0
ok "and its output removed" is "$(ls kept | grep -c partial)" 0
unlock

# ---- a cluster: progress, and cancel ----
wrap tools pg_basebackup <<'SH'
exec "$real" "$@" --max-rate=500
SH
later backup run all --wait --json >slow 2>slow.err &
slow=$!
has_progress() { newest; [ "$(field backupName)" = all ] && [ "$(field progress)" -ge 1 ]; }
until_ok has_progress
ok "a copy tells how far it is" says " MiB copied"
ok "and how much it has" test "$(field sizeInBytes)" -ge 100000
id=$(field uuid)
run result cancel "$id" --wait --json
ok "it is cancelled" ended CANCELLED
until_ok not has_sessions
ok "nothing of it runs on the server" is "$(sessions)" 0
ok "half a copy is not kept" is "$(ls kept | grep -c cluster)" 0
wait "$slow"
unwrap tools pg_basebackup

# ---- output that is no good is not kept as a backup ----
fails() { # NAME MESSAGE
  run backup run "$1" --wait --json
  ok "FAILED" ended FAILED
  ok "with the reason" says "\"errorMessage\":\"$2"
  ok "and nothing is left of it" is "$(ls kept)" "$kept"
}
kept=$(ls kept)
wrap tools pg_dump <<'SH'
for one in "$@"; do case $one in --file=*) file=${one#--file=} ;; esac; done
"$real" "$@" && [ -z "${file:-}" ] || truncate -s -20000 "$file"
SH
fails shop "not verified: could not read from input file: end of file"
wrap tools pg_dump <<'SH'
for one in "$@"; do case $one in --file=*) file=${one#--file=} ;; esac; done
"$real" "$@" && [ -z "${file:-}" ] || printf 'damage damage' | dd of="$file" bs=1 seek=300000 conv=notrunc 2>/dev/null
SH
fails shop "not verified: "
ok "pg_restore said it" says "could not uncompress data"
wrap tools pg_basebackup <<'SH'
for one in "$@"; do case $one in --pgdata=*) folder=${one#--pgdata=} ;; esac; done
"$real" "$@" && [ -z "${folder:-}" ] || printf 'damage' | dd of="$folder/global/1262" bs=1 seek=3000 conv=notrunc 2>/dev/null
SH
fails all 'not verified: checksum mismatch for file \"global/1262\"'
unwrap tools pg_basebackup
wrap tools pg_dump <<'SH'
for one in "$@"; do case $one in --file=*) shift; set -- "$@" --file=/dev/full ;; *) shift; set -- "$@" "$one" ;; esac; done
exec "$real" "$@"
SH
fails shop "no space is left: "
wrap tools pg_dump <<'SH'
case "$*" in *--version*) exec "$real" "$@" ;; esac
kill -SEGV $$
SH
fails shop "pg_dump was ended by signal 11"
wrap tools pg_dump <<'SH'
echo "pg_dump: warning: something is odd" >&2
exec "$real" "$@"
SH
run backup run shop --wait --json
ok "a warning of pg_dump is one of the result" ended SUCCEEDED_WARNING
ok "which tells it" is "$(field statusMessage)" "something is odd"
unwrap tools pg_dump

# ---- damage that comes later ----
file=$(field resultPath)
id=$(field uuid)
printf 'damage damage' | dd of="$file" bs=1 seek=300000 conv=notrunc 2>/dev/null
run result extract "$id" --to damaged
ok "what was damaged on disk is not handed out" complains "it is damaged: "
ok "nor written" test ! -e damaged
run backup run all --wait --json
rm "$(field resultPath)/data/base/1/1255"
run result extract "$(field uuid)" --to damaged
ok "nor a copy that lacks a file" complains 'it is damaged: "base/1/1255" is present in the manifest but not on disk'
rm "$file"
run result extract "$id" --to damaged
ok "nor what is gone" complains "$file is not there any more"

# ---- the server ----
sql $port postgres -c "alter role keeper connection limit 0"
later backup run shop --wait --json >limited 2>limited.err &
limited=$!
refused() { grep -q "too many connections" main.log; }
until_ok refused
sql $port postgres -c "alter role keeper connection limit -1"
wait "$limited"
ok "a server that is too busy is asked again" grep -q '"status":"SUCCEEDED"' limited
lock
kept=$(ls kept)
run backup run shop --json
id=$(field uuid)
until_ok waits_for_lock
stop_server "$server" QUIT
run result watch "$id" --json
ok "a server that dies in the middle: FAILED" ended FAILED
ok "which says so" is "$(field errorMessage)" "the server at 127.0.0.1:$port ended the connection"
ok "and shows what pg_dump said" says "pg_dump: error:"
ok "nothing is left of it" is "$(ls kept)" "$kept"
ok "the password is in no file" not grep -rqsFf password data out err
