#!/bin/sh
# Kills the runtime again and again and looks at what is left: sh tests/kill/run.sh BUILD_DIR [--kills N] [--seconds N] [--seed N]
#
# N kills (2000), by several harnesses beside each other, each with an outside and a data directory of its own; so many are made that there are
# N, and a machine on which that takes longer than the seconds (600) has failed. Of a sanitized build there are as many as fit into 45 seconds. Each step
# of a hook has one kill at least, in either; each harness sees to its share of them. Then each negative control, which has to be caught. A run
# can be repeated by its seed, as far as chance goes: instants are the machine's.
# Ends with `N passed, N failed`.
set -u

HARNESSES=3

usage() {
  echo "usage: sh tests/kill/run.sh BUILD_DIR [--kills N] [--seconds N] [--seed N]" >&2
  exit 2
}

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
[ $# -gt 0 ] || usage
build=$(CDPATH= cd "$1" && pwd) || exit 1
shift
kills=2000 seconds= seed=$(date +%s) rule=yes
while [ $# -gt 0 ]; do
  case "$1 ${2:-}" in
    "--kills "[1-9]*) kills=$2 ;;
    "--seconds "[1-9]*) seconds=$2 ;;
    "--seed "[0-9]*) seed=$2 ;;
    *) usage ;;
  esac
  shift 2
done
if [ -z "$seconds" ] && grep -q "^ORR_SANITIZE:BOOL=ON" "$build/CMakeCache.txt"; then seconds=45 rule=; fi
seconds=${seconds:-600}
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT TERM

# harness NAME OPTION...: its output is in $out/NAME.
harness() {
  name=$1
  shift
  {
    echo "== $*"
    "$build/tests/orrery-kill" --orrery "$build/orrery" --outside "$build/tests/orrery-kill-outside" --providers "$here/providers" "$@"
    echo "== ended with $?"
  } >"$out/$name" 2>&1
}

# control NAME: half of its kills come at the step where what is wrong does its harm.
control() { harness "with-$1" --kills 24 --seconds "$seconds" --seed "$seed" --control "$1"; }

n=0
while [ "$n" -lt "$HARNESSES" ]; do
  share=$(((kills + n) / HARNESSES))
  harness "kills-$n" --kills "$share" --seconds "$seconds" --seed $((seed + n)) --share "$n/$HARNESSES" &
  n=$((n + 1))
done
wait
cat "$out"/kills-*
made=$(sed -n 's/^# seed [0-9]*: \([0-9]*\) kills .*/\1/p' "$out"/kills-* | awk '{ sum += $1 } END { print sum + 0 }')
if [ "$made" -ge "$kills" ]; then word=ok; elif [ -n "$rule" ]; then word="not ok"; else word=ok; fi
echo "$word $made kills in all, of $kills; at most $seconds s" | tee "$out/total"

set -- liar hasty pessimist child relabel forgetful believer boaster litterer amnesia
while [ $# -gt 0 ]; do
  for name in "$1" "${2:-}"; do
    [ -z "$name" ] || control "$name" &
  done
  wait
  shift
  [ $# -eq 0 ] || shift
done
cat "$out"/with-*
cat "$out"/kills-* "$out"/with-* "$out/total" | awk '
  /^== --/ { has_counted = 0 }
  /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; has_counted = 1 }
  /^== ended with / { if (!has_counted) { failed++; print "not ok the harness ended with " $NF } }
  /^ok [0-9]+ kills in all/ { passed++ }
  /^not ok [0-9]+ kills in all/ { failed++ }
  END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 || passed == 0 }'
