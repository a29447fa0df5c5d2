. "$1" # A restart of the daemon, as systemd does it with KillMode=process: local jobs go on, are adopted, end once.

cat >work.sh <<'SH'
#!/bin/sh
echo "$$" >>"$RUNS"
echo "progress: 40"
while [ ! -e "$GO" ]; do sleep 0.1; done
echo done
SH
chmod +x work.sh

# The manager: starts serve, and on a restart signals it alone. Everything it starts is in its process group, as it is in one control group.
start() {
  : >serve.log
  later serve --log-format logfmt 2>>serve.log &
  serve=$!
  until_ok grep -q msg=ready serve.log
}
stop() {
  kill -"$1" "$serve"
  wait "$serve"
  ended=$?
}
progress() { o result ls --backup work --limit 1 --json | grep -q "\"progress\":40"; }
worker() { kill -0 "$(tail -n 1 runs)"; }

: >runs
start
o backup create work --provider command --set argv="$PWD/work.sh" --set env="RUNS=$PWD/runs
GO=$PWD/go" >/dev/null
o backup run work --json >/dev/null
until_ok progress
ok "a local job is running" worker
stop TERM
ok "SIGTERM ends the daemon with 0" is "$ended" 0
ok "while the job goes on" worker
newest
ok "and is still in progress" ended IN_PROGRESS
start
ok "the next daemon finds it" until_ok progress
ok "it runs still" worker
# Once more, and this time without a word.
stop KILL
ok "a kill leaves it alone, too" worker
start
o backup run work --json >/dev/null
touch go
over() { [ "$(o result ls --backup work --status SUCCEEDED --json | grep -o '"uuid"' | wc -l)" = 2 ]; }
ok "it ends, and so does the one started after" until_ok over
ok "each ran once" is "$(wc -l <runs)" 2
ok "by two workers" is "$(sort -u runs | wc -l)" 2
stop TERM

# A job that ends while no daemon runs.
rm go
start
o backup run work --json >/dev/null
third() { [ "$(wc -l <runs)" = 3 ]; }
until_ok third
stop TERM
touch go
gone() { ! worker 2>/dev/null; }
until_ok gone
start
over() { [ "$(o result ls --backup work --status SUCCEEDED --json | grep -o '"uuid"' | wc -l)" = 3 ]; }
ok "one that ended while nobody was there is found ended" until_ok over
ok "and was not run again" is "$(wc -l <runs)" 3
stop TERM
