# Runs the tests of a folder of shell scripts; read with `.` by its run.sh: run_folder FOLDER HELPERS SECONDS.
#
# Every .sh file of the folder but run.sh is one test: it gets a fresh folder as its working directory and home, the path of HELPERS as
# $1, and SECONDS that no single test needs, because a hang must not eat the whole run. It prints `ok`, `not ok` and `skip` lines. Ends
# with `N passed, N failed`; fails if one did.
#
# Tests mostly wait, so two run at a time. None may count on being alone; the folder that one makes of its own is what claims a test.
unset ORRERY_DATA ORRERY_PROVIDERS XDG_DATA_HOME NO_COLOR

run_folder() {
  folder=$1
  place=$(mktemp -d) || exit 1
  trap 'chmod -R u+rwX "$place"; rm -rf "$place"' EXIT
  passed=0
  failed=0
  claim_tests "$@" &
  claim_tests "$@"
  wait
  for test in "$folder"/*.sh; do
    name=$(basename "$test" .sh)
    [ "$name" = run ] && continue
    status=$(cat "$place/$name.status" 2>/dev/null || echo 1)
    ok=$(grep -ac '^ok ' "$place/$name.log")
    bad=$(grep -ac '^not ok ' "$place/$name.log")
    if [ "$status" -ne 0 ] || { [ "$ok$bad" = 00 ] && ! grep -aq '^skip ' "$place/$name.log"; }; then
      bad=$((bad + 1))
      echo "not ok $name ended with $status" >>"$place/$name.log"
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    echo "$name: $ok ok, $bad not ok"
    [ "$bad" -gt 0 ] || grep -a '^skip ' "$place/$name.log" | sed 's/^/  /'
    [ "$bad" -eq 0 ] || sed 's/^/  /' "$place/$name.log"
  done
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}

# Runs one test after the other that nobody has claimed.
claim_tests() {
  for test in "$1"/*.sh; do
    name=$(basename "$test" .sh)
    [ "$name" = run ] && continue
    mkdir "$place/$name" 2>/dev/null || continue
    (cd "$place/$name" && HOME="$place/$name" timeout -k 5 "$3" sh -u "$test" "$2") >"$place/$name.log" 2>&1 </dev/null
    echo $? >"$place/$name.status"
  done
}
