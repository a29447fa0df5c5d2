. "$1" # restic while it runs: progress, cancel, the runtime's death, its own death, locks

printf 'sesame\n' >password
repository=$PWD/repository
vault() { RESTIC_PASSWORD=sesame command restic --no-cache -r "$repository" "$@"; }
snapshots() { vault snapshots --no-lock --json | grep -o '"short_id"' | wc -l; }
locks() { find repository/locks -type f | wc -l; }
is_locked() { [ "$(locks)" -gt 0 ]; }

o connection add vault --provider restic --set repository="$repository" --set password=@password --set lockWait=300 >/dev/null
o connection add hasty --provider restic --set repository="$repository" --set password=@password --set lockWait=0 >/dev/null
for name in docs other; do o backup create $name --provider restic --connection vault --set path="$PWD/source" >/dev/null; done
o backup create hasty --provider restic --connection hasty --set path="$PWD/source" >/dev/null

# Two first backups at once, in one runtime: one repository, with one key.
later serve --log-format logfmt 2>serve.log &
serve=$!
until_ok grep -qs msg=ready serve.log # asking with a command would make that the runtime where there is none yet
later backup run other --wait >/dev/null &
other=$!
run backup run docs --wait --json
ok "two at once on a new repository" ended SUCCEEDED
wait "$other"
ok "the other one, too" is $? 0
kill -TERM "$serve"
wait "$serve"
ok "the repository has one key" is "$(find repository/keys -type f | wc -l)" 1
ok "and both snapshots" is "$(snapshots)" 2

# Real work that takes a while: 3 MB at so many KiB/s; half an hour where it is not to come to its end.
head -c 3000000 /dev/urandom >source/large
tool restic <<SH
case " \$* " in *" backup "*) exec "\$real" --limit-upload "\$(cat "$PWD/rate")" "\$@" ;; esac
exec "\$real" "\$@"
SH
echo 2 >rate
run backup run docs --json
id=$(field uuid)
ok "without --wait it is in progress" ended IN_PROGRESS
until_ok is_locked
run result cancel "$id" --wait --json
ok "a running one is cancelled" ended CANCELLED
ok "exit 0, as asked" exits 0
ok "it leaves no lock" is "$(locks)" 0
ok "and no snapshot" is "$(snapshots)" 2
run result rm "$id" --yes
ok "what was cancelled can be removed" exits 0

# The runtime dies in the middle; restic does not.
echo 600 >rate
later backup run docs --wait >/dev/null 2>&1 &
runtime=$!
until_ok is_locked
kill -9 "$runtime"
wait "$runtime" 2>/dev/null
newest
id=$(field uuid)
ok "after kill -9 of the runtime it is still in progress" ended IN_PROGRESS
run result watch "$id" --json
ok "another adopts it, and it succeeds" ended SUCCEEDED
ok "there is one snapshot of it" is "$(vault snapshots --no-lock --json --tag "$id" | grep -o '"short_id"' | wc -l)" 1
ok "made by one job" is "$(ls "data/jobs/$id")" backup-1

# Job runner and restic die: there is no snapshot, and a lock is left.
begun() { id=$(o result ls --limit 1 --json | grep -o '"uuid":"[^"]*"' | cut -d'"' -f4); grep -qs '^end' "data/jobs/$id/backup-1/begun"; }
kill_job() { sed -n 's/^\(runner\|tool\)=//p' "data/jobs/$id/backup-1/begun" | xargs kill -9; }
head -c 3000000 /dev/urandom >source/large
echo 2 >rate
o backup run docs >/dev/null 2>&1
until_ok begun
until_ok is_locked
kill_job
run result watch "$id" --json
ok "a job that was killed without a snapshot: FAILED" ended FAILED
ok "which says so" says "before the snapshot was complete"
ok "its lock is removed" is "$(locks)" 0

# The same after restic had written the snapshot.
tool restic <<'SH'
case " $* " in *" backup "*) "$real" "$@"; sleep 60 ;; esac
exec "$real" "$@"
SH
o backup run docs >/dev/null 2>&1
until_ok begun
has_summary() { grep -qs summary "data/jobs/$id/backup-1/out"; }
until_ok has_summary
kill_job
run result watch "$id" --json
ok "a job that was killed behind its snapshot: SUCCEEDED" ended SUCCEEDED
ok "by evidence" says "the snapshot is complete"
run result extract "$id" --to there/
ok "which can be restored" same source there
rm bin/restic

# Somebody else holds the repository.
lock() {
  RESTIC_PASSWORD=sesame "$(PATH=$system_path command -v restic)" --no-cache -r "$repository" --limit-download 50 check --read-data >/dev/null 2>&1 &
  holder=$!
  until_ok is_locked
}
lock
run backup run hasty --wait --json
ok "a locked repository: FAILED" ended FAILED
ok "which says by whom" says "is locked by PID $holder on "
run result rm "$(o result ls --backup other --json | grep -o '"uuid":"[^"]*"' | head -n 1 | cut -d'"' -f4)" --yes
ok "a deletion is refused, the record stays" sh -c 'grep -q "is locked by PID" err'
kill -9 "$holder"
wait "$holder" 2>/dev/null
run backup run docs --wait --json
ok "a lock that its holder left behind is removed" ended SUCCEEDED
lock
: >held
tried_again() { [ -n "$(find data/jobs -name backup-2 -newer held)" ]; }
(until_ok tried_again; kill "$holder") &
run backup run docs --wait --json
ok "a lock that is given up is waited for" ended SUCCEEDED
ok "by trying again" sh -c "grep -qE '\"job\":\"backup-[2-9]' out"
ok "the repository is sound" vault check --quiet
