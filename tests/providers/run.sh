#!/bin/sh
# The shipped providers with their real tools, through the command line: sh tests/providers/run.sh BUILD_DIR
#
# Every other .sh file here is one test: it gets a fresh folder, has the helpers of helpers/real.sh, and prints `ok`, `not ok` and `skip`
# lines. What is tested are BUILD_DIR/orrery and BUILD_DIR/orrery-runner with the providers of this tree. Ends with
# `N passed, N failed`.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-.}" && pwd) || exit 1
ORRERY=$build/orrery
for program in "$ORRERY" "$build/orrery-runner"; do
  [ -x "$program" ] || { echo "there is no program $program"; echo "0 passed, 1 failed"; exit 1; }
done
export ORRERY
unset ORRERY_DATA ORRERY_PROVIDERS XDG_DATA_HOME NO_COLOR RESTIC_REPOSITORY RESTIC_PASSWORD

place=$(mktemp -d) || exit 1
trap 'chmod -R u+rwX "$place"; rm -rf "$place"' EXIT
passed=0
failed=0
for test in "$here"/*.sh; do
  name=$(basename "$test" .sh)
  [ "$name" = run ] && continue
  mkdir "$place/$name"
  # Seconds that no single test needs: a hang must not eat the whole run.
  (cd "$place/$name" && HOME="$place/$name" timeout -k 5 300 sh -u "$test" "$here/helpers/real.sh") >"$place/$name.log" 2>&1 </dev/null
  status=$?
  ok=$(grep -ac '^ok ' "$place/$name.log")
  bad=$(grep -ac '^not ok ' "$place/$name.log")
  if [ "$status" -ne 0 ] || [ "$ok$bad" = 00 ]; then
    bad=$((bad + 1))
    echo "not ok $name ended with $status" >>"$place/$name.log"
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
  echo "$name: $ok ok, $bad not ok"
  grep -a '^skip ' "$place/$name.log" | sed 's/^/  /'
  [ "$bad" -eq 0 ] || sed 's/^/  /' "$place/$name.log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
