#!/bin/sh
# Kills the runtime again and again and looks at what is left: sh tests/kill/run.sh BUILD_DIR [KILLS [SECONDS [SEED]]]
#
# As many kills as fit into SECONDS (180, or 45 in a sanitized build), at most KILLS (2000); then each negative control, which has to be caught. A run can be
# repeated by its seed, as far as chance goes: instants are the machine's. Ends with `N passed, N failed`.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
kills=${2:-2000}
if grep -q "^ORR_SANITIZE:BOOL=ON" "$build/CMakeCache.txt"; then usual=45; else usual=180; fi
seconds=${3:-$usual}
seed=${4:-$(date +%s)}
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

harness() {
  echo "== $*"
  "$build/tests/orrery-kill" --orrery "$build/orrery" --outside "$build/tests/orrery-kill-outside" --providers "$here/providers" --seed "$seed" "$@"
  echo "== ended with $?"
}

{
  harness --kills "$kills" --seconds "$seconds"
  for control in liar hasty pessimist child relabel forgetful believer amnesia; do harness --kills 60 --seconds 8 --control $control; done
} | tee "$out"
awk '
  /^== --/ { has_counted = 0 }
  /^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; has_counted = 1 }
  /^== ended with / { if (!has_counted) { failed++; print "not ok the harness ended with " $NF } }
  END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 || passed == 0 }' "$out"
