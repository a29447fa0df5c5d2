#!/bin/sh
# The command line from outside: sh tests/cli/run.sh [BUILD_DIR]; the program is BUILD_DIR/orrery, or $ORRERY.
#
# Every other .sh file here is one test: it gets a fresh folder, has the helpers of helpers/cli.sh, and prints `ok` and
# `not ok` lines. Each makes its own providers, so none depends on those that are shipped. Ends with `N passed, N failed`.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-.}" && pwd) || exit 1
ORRERY=${ORRERY:-$build/orrery}
[ -x "$ORRERY" ] || { echo "there is no program $ORRERY"; echo "0 passed, 1 failed"; exit 1; }
export ORRERY
unset ORRERY_DATA ORRERY_PROVIDERS XDG_DATA_HOME NO_COLOR

place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
passed=0
failed=0
for test in "$here"/*.sh; do
  name=$(basename "$test" .sh)
  [ "$name" = run ] && continue
  mkdir "$place/$name"
  # Seconds that no single test needs: a hang must not eat the whole run.
  (cd "$place/$name" && HOME="$place/$name" timeout -k 5 120 sh -u "$test" "$here/helpers/cli.sh") >"$place/$name.log" 2>&1 </dev/null
  status=$?
  ok=$(grep -c '^ok ' "$place/$name.log")
  bad=$(grep -c '^not ok ' "$place/$name.log")
  if [ "$status" -ne 0 ] || [ "$ok$bad" = 00 ]; then
    bad=$((bad + 1))
    echo "not ok $name ended with $status" >>"$place/$name.log"
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  echo "$name: $ok ok, $bad not ok"
  [ "$bad" -eq 0 ] || sed 's/^/  /' "$place/$name.log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
