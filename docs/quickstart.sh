#!/bin/sh
# Shows Orrery's main job on real data: sh docs/quickstart.sh [--calm] [FOLDER]
#
# Installs what is missing, builds, and backs FOLDER up (this project, if none is given) with restic, on a schedule; kills the
# runtime in the midst of it (not with --calm) and starts it again; waits for the end through the refresh loop, shows that the
# backup was started exactly once, extracts what was backed up and compares it with the source byte for byte.
#
# Everything it makes is in ./.build and ./.orrery-demo: the data directory, a restic repository and its password. Run it again and
# it goes on with what is there. What it starts, it ends.
set -eu

calm=
if [ "${1:-}" = --calm ]; then calm=yes; shift; fi
case ${1:-} in -*) echo "usage: sh docs/quickstart.sh [--calm] [FOLDER]" >&2; exit 2 ;; esac
folder=${1:-}
if [ -n "$folder" ]; then folder=$(cd "$folder" && pwd -P); fi
cd "$(dirname "$0")/.."
here=$(pwd -P)
build=$here/.build/release
demo=$here/.orrery-demo
serve=

say() { printf '   %s\n' "$*"; }
orrery() { "$build/orrery" --data "$demo/data" "$@"; }
finish() {
  status=$?
  if [ -n "$serve" ]; then
    kill "$serve" 2>/dev/null || true
    wait "$serve" || status=$?
  fi
  [ "$status" -eq 0 ] || echo "the quickstart ended early; $demo/*.log may tell why" >&2
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# quietly LOG COMMAND...: shows its output only if it goes wrong.
quietly() {
  log=$1
  shift
  "$@" >>"$log" 2>&1 </dev/null || { tail -n 30 "$log" >&2; exit 1; }
}

# The uuid of the newest result of the Backup $name, or nothing.
newest() { orrery result ls --backup "$name" --limit 1 --json | grep -o '"uuid":"[^"]*"' | head -n 1 | cut -d '"' -f 4; }

start_serve() {
  "$build/orrery" --data "$demo/data" serve 2>>"$demo/serve.log" & # no function: it must be the one that is ended
  serve=$!
  tries=0
  until [ -S "$demo/data/socket" ] && orrery provider ls >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] && kill -0 "$serve" 2>/dev/null || { tail -n 5 "$demo/serve.log" >&2; exit 1; }
    sleep 0.1
  done
}

echo "1. Install what is missing, and build"
mkdir -p "$build" "$demo"
rm -f "$demo"/*.log
{ sh docs/install-deps.sh build 2>&1 && echo 0 >"$demo/deps.log" || echo "$?" >"$demo/deps.log"; } | sed 's/^/   /'
read -r installed <"$demo/deps.log"
if [ "$installed" -ne 0 ]; then trap - EXIT; exit "$installed"; fi
if [ ! -f "$build/build.ninja" ]; then quietly "$demo/build.log" cmake -S . -B "$build" -G Ninja -DORR_TESTS=OFF; fi
quietly "$demo/build.log" cmake --build "$build"
say "built $build/orrery, version $("$build/orrery" --version | cut -d ' ' -f 2)"

echo "2. Say what to back up, how and when"
if [ ! -f "$demo/password" ]; then
  (umask 077 && head -c 24 /dev/urandom | base64 >"$demo/password")
fi
if ! orrery connection show demo >/dev/null 2>&1; then
  quietly "$demo/setup.log" orrery connection add demo --provider restic --set repository="$demo/repository" --set password=@"$demo/password"
fi
if [ -z "$folder" ]; then
  # This project, but for what it makes: those folders change while they are read.
  folder=$here
  name=demo
  set -- --set exclude:='[".build", ".orrery-demo", ".git"]'
else
  name=demo-$(printf %s "$folder" | cksum | cut -d ' ' -f 1)
  set --
fi
if ! orrery backup show "$name" >/dev/null 2>&1; then
  quietly "$demo/setup.log" orrery backup create "$name" --provider restic --connection demo --schedule "@every 2s" --tz UTC \
    --refresh-interval 1 --paused --set path="$folder" "$@"
fi
say "Backup $name: restic, $folder, @every 2s"

echo "3. Let the schedule fire once, and wait for the end"
start_serve
before=$(newest || true)
orrery backup resume "$name" >/dev/null
while result=$(newest || true); [ "$result" = "$before" ]; do sleep 0.1; done
orrery backup pause "$name" >/dev/null
say "the schedule has fired, and is paused again"
if [ -z "$calm" ]; then
  # The pause was acknowledged, so it holds; and what the schedule has started goes on under its own runner.
  midst=
  for moment in $(seq 200); do
    case $midst in "" | START_REQUESTED | INITIALIZING) sleep 0.01 ;; *) break ;; esac
    midst=$(orrery result show "$result" --json | grep -o '"status":"[^"]*"' | head -n 1 | cut -d '"' -f 4)
  done
  kill -9 "$serve"
  wait "$serve" 2>/dev/null || true
  say "killed the runtime (kill -9) while the backup was $midst"
  start_serve
  say "started it again: it goes on where it was"
fi
if [ -t 2 ]; then
  orrery result watch "$result" >/dev/null
else
  orrery result watch "$result" >/dev/null 2>"$demo/watch.log" || { cat "$demo/watch.log" >&2; exit 1; }
  tail -n 1 "$demo/watch.log" | sed 's/^/   /'
fi

starts=$(RESTIC_PASSWORD_FILE="$demo/password" restic -r "$demo/repository" snapshots --no-lock --json --tag "$result" | grep -o '"short_id"' | wc -l)
say "started exactly once: the repository has $starts snapshot of this result"
[ "$starts" -eq 1 ]

echo "4. Extract the result, and compare it with the source"
orrery result ls --backup "$name" --limit 3 | cut -c 1-100 | sed 's/^/   /'
rm -rf "$demo/extracted"
mkdir "$demo/extracted"
orrery result extract "$result" --to "$demo/extracted" >/dev/null
same() { diff -r --no-dereference "$@" "$folder" "$demo/extracted"; }
if [ "$name" = demo ]; then same -x .build -x .orrery-demo -x .git; else same; fi
say "$(find "$demo/extracted" -type f | wc -l) files extracted, byte for byte the source"

# Commands to go on with, as they stand: an editor that is there, and a folder of the reader's own that does not hold this demo.
command="$build/orrery --data $demo/data"
editor=
for one in "${VISUAL:-}" "${EDITOR:-}" editor nano vim vi; do
  if [ -z "$editor" ] && [ -n "$one" ] && command -v "${one%% *}" >/dev/null; then editor="$one $here/providers/restic.lua"; fi
done
: "${editor:=sed -i s/1.0.0/1.0.1/ $here/providers/restic.lua}"
mine=/etc
for one in "${HOME:-/}" "${HOME:-/}/Documents"; do
  case $here/ in "${one%/}"/*) ;; *) if [ -d "$one" ]; then mine=$one; fi ;; esac
done
create="$command backup create mine --provider restic --connection demo --set path=$mine && "
if orrery backup show mine >/dev/null 2>&1; then create=; fi
cat <<EOM

Look at what happened, hook by hook:
   $command result show $result --journal
Edit the provider live, while it serves:
   $command serve 2>/dev/null & $editor; $command backup run $name --wait; kill \$!
Back up your own folder:
   $create$command backup run mine --wait
EOM
