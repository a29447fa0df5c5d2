#!/bin/sh
# Runs the unit tests of a build and counts their cases: sh tests/unit/run.sh BUILD_DIR
#
# A program that ends badly without naming a failed case (a crash, a time-out) counts as one failed case.
set -u

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
ctest --test-dir "$1" -j "$(nproc)" -V >"$out" 2>&1
status=$?
cat "$out"
awk -v status=$status '
  match($0, /\[  PASSED  \] [0-9]+ test/) { split(substr($0, RSTART), word, " "); passed += word[4] }
  match($0, /\[  FAILED  \] [0-9]+ test\(s\), listed/) {
    split(substr($0, RSTART), word, " "); failed += word[4]; split($0, line, ":"); named[line[1]] = 1
  }
  /^The following tests FAILED:/ { list = 1; next }
  list && $2 == "-" { programs[$1] = $3 }
  END {
    for (number in programs) if (!(number in named)) { failed++; print programs[number] ": ended without naming a failed case" }
    if (status && !failed) failed = 1
    print passed + 0 " passed, " failed + 0 " failed"
    exit failed > 0 || passed == 0
  }' "$out"
