#!/bin/sh
# Hostile providers against the real runtime on the real clock: sh tests/hostile/run.sh BUILD_DIR [NAME ...]
#
# Every file of providers/ tries one thing and says in its second line how its executeBackup has to end:
#
#   -- expect: OUTCOME [TEXT] [@here]     outcome of the hook's journal row (one of several: A/B), a part of its message; it was stopped
#                                         in the line marked "here"
#   -- expect: refused TEXT               it does not load
#
# Several run at a time ($HOSTILE_JOBS, 4), beside a provider that behaves well. At the end: each ended as it has to; the process lives;
# no refresh of the good one was late by more than a second (three in a sanitized build, which does all of it several times slower), beyond ten times
# what the machine itself was late, four times what the disk took (a refresh is due after the commit of the one before) and what the process waited for
# a processor; and of what `needs` does not grant no file was changed, no server reached, and no secret is in the log, the journal or the database.
#
# HOSTILE_LOG: a file that the runtime's log is copied to. Names pick providers; all, if none is given.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
shift
ORRERY=$build/orrery
PLACE=$(mktemp -d) || exit 1
DATA=$PLACE/data
export ORRERY PLACE DATA
unset ORRERY_DATA ORRERY_PROVIDERS XDG_DATA_HOME
passed=0
failed=0
serve=
outside=
end() {
  [ -z "$serve" ] || kill "$serve" 2>/dev/null
  [ -z "$outside" ] || kill "$outside" 2>/dev/null
  wait
  chmod -R u+rwX "$PLACE"
  rm -rf "$PLACE"
}
trap end EXIT
trap 'exit 1' INT TERM

verdict() {
  what=$1
  shift
  if "$@"; then
    echo "ok $what"
    passed=$((passed + 1))
  else
    echo "not ok $what"
    failed=$((failed + 1))
  fi
}
o() { "$ORRERY" --data "$DATA" "$@"; }
until_ok() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || return 1
    sleep 0.1
  done
}

random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
secret=canary-$(random)
word=$(random)
mkdir "$PLACE/outside" "$PLACE/providers" "$PLACE/granted"
printf %s "$secret" >"$PLACE/secret"
printf %s "canary-own-$(random)" >"$PLACE/own"
echo "$word" >"$PLACE/canary"
ln -s "$PLACE/canary" "$PLACE/granted/link"
"$build/tests/orrery-hostile-outside" "$PLACE/outside" &
outside=$!
until_ok test -f "$PLACE/outside/ports" || { echo "nothing outside"; echo "0 passed, 1 failed"; exit 1; }
read -r server canary_port <"$PLACE/outside/ports"

[ $# -gt 0 ] || set -- $(cd "$here/providers" && for file in *.lua; do echo "${file%.lua}"; done)
for name in "$@"; do
  sed -e "s|@SERVER@|http://127.0.0.1:$server|g" -e "s|@CANARY_PORT@|$canary_port|g" -e "s|@FILE@|$PLACE/canary|g" \
    -e "s|@GRANTED@|$PLACE/granted|g" -e "s|@DATA@|$DATA|g" "$here/providers/$name.lua" >"$PLACE/providers/$name.lua" || exit 1
done
cp "$here/well_behaved.lua" "$PLACE/providers"

"$ORRERY" --data "$DATA" --providers "$PLACE/providers" serve >"$PLACE/log" 2>&1 </dev/null &
serve=$!
until_ok grep -q '"msg":"ready"' "$PLACE/log" || { cat "$PLACE/log"; echo "0 passed, 1 failed"; exit 1; }
o connection add vault --provider well_behaved --set "password=@$PLACE/secret" >/dev/null
o backup create good --provider well_behaved --connection vault >/dev/null
o backup run good >/dev/null 2>&1 &
until_ok grep -q '"late ' "$PLACE/log" || { cat "$PLACE/log"; echo "0 passed, 1 failed"; exit 1; }

for name in "$@"; do echo "$PLACE/providers/$name.lua"; done | xargs -P "${HOSTILE_JOBS:-4}" -n 1 sh "$here/one.sh" | tee "$PLACE/ends" | cut -c 1-1000
passed=$((passed + $(grep -c '^ok ' "$PLACE/ends")))
failed=$((failed + $(grep -c '^not ok ' "$PLACE/ends")))

# A list of whole numbers on stdin: least, median, 95 of 100, most.
spread() {
  sort -n | awk '{ v[NR] = $1 } END { if (NR) printf "least %d, median %d, 95 %% under %d, most %d ms (%d of them)\n", v[1], v[int((NR + 1) / 2)], v[int(NR * 0.95 + 0.99)], v[NR], NR }'
}
echo "how late hooks were stopped: $(sed -n 's/.*late \(-\{0,1\}[0-9]*\) ms.*/\1/p' "$PLACE/ends" | spread)"
sed -n 's/.*"msg":"late \(-\{0,1\}[0-9]*\) waited \([0-9]*\)".*/\1 \2/p' "$PLACE/log" >"$PLACE/told"
awk '{ print $1 - $2 }' "$PLACE/told" >"$PLACE/lates"
echo "how late the refreshes of the good provider were: $(cut -d' ' -f1 "$PLACE/told" | spread)"
echo "without what the process waited for a processor: $(spread <"$PLACE/lates")"
stall=$(cat "$PLACE/outside/stall" 2>/dev/null || echo 0)
disk=$(cat "$PLACE/outside/disk" 2>/dev/null || echo 0)
waited=$(cut -d' ' -f2 "$PLACE/told" | sort -n | tail -n 1)
echo "how late the machine was at most: $stall ms; and how long the disk took for a page: $disk ms"
most=$(sort -n "$PLACE/lates" | tail -n 1)
latest=$(sed -n 's/.*late \(-\{0,1\}[0-9]*\) ms.*/\1/p' "$PLACE/ends" | sort -n | tail -n 1)

bound=$((1000 + 10 * stall + 4 * disk))
if grep -q '^ORR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" 2>/dev/null; then bound=$((bound + 2000)); fi
verdict "the process lives" kill -0 "$serve"
verdict "it answers, and the good result is still in progress" sh -c '"$ORRERY" --data "$DATA" result ls --backup good --json | grep -q "\"IN_PROGRESS\""'
echo "how late a refresh may be: $bound ms"
verdict "no refresh of the good provider was late beyond that" [ "${most:-99999}" -le "$bound" ]
verdict "nor did anything run on beyond its deadline" [ "${latest:-0}" -le $((bound + 2 * waited)) ]
verdict "the canary file is as it was" grep -qx "$word" "$PLACE/canary"
verdict "nobody reached the canary server" [ ! -e "$PLACE/outside/reached" ]
own=$(cat "$PLACE/own")
coded=$(printf %s "$secret" | base64 | cut -c 1-40)
kill "$serve"
wait "$serve"
status=$?
serve=
verdict "the process ends when it is told to, with 0" [ "$status" -eq 0 ]
verdict "no secret and no word of the file is in the log" sh -c "! grep -aqE '$secret|$own|$word|$coded' '$PLACE/log'"
verdict "nor in the database" sh -c "! grep -arqE '$secret|$own|$word|$coded' '$DATA'"
[ -z "${HOSTILE_LOG:-}" ] || cp "$PLACE/log" "$HOSTILE_LOG"
[ "$failed" -eq 0 ] || { echo "ended with $status"; grep -v '^{' "$PLACE/log" | tail -n 60; }
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
