#!/bin/sh
# Installs what is missing, builds, and runs every test: sh tests/run.sh [release] [sanitized] [clang]
#
# release is gcc's ordinary build with all tests, sanitized the same with AddressSanitizer and UndefinedBehaviorSanitizer, and what has
# threads once more with ThreadSanitizer, clang a build without a run; all three unless some are named. The last line is
# `N passed, N failed`; the exit code is 0 only if something passed and nothing failed. Builds and full logs stay in .build/tests (or
# $ORRERY_BUILD), so a second run is quick.
#
# A part of the tests is a script that takes a build directory and ends with the line `N passed, N failed`: every
# tests/<part>/run.sh, and the scripts beside this one. Which packages are needed, docs/install-deps.sh knows.
#
# Invariant: nothing is tested as root, who may do what others may not (and whom initdb refuses). Started by root, everything
# but the installing happens as the user orrery-test, in a copy of the tree where that user cannot read this one. Installing is root's, so
# there is one part that root runs: package/chroot.sh, which installs the packages into a system of their own and runs Orrery there as its user.
set -u

case ${ORRERY_BUILD:-/} in /*) ;; *) ORRERY_BUILD=$PWD/$ORRERY_BUILD ;; esac
cd "$(dirname "$0")/.." || exit 1
tester=orrery-test
export LC_ALL=C.UTF-8

as_tester() { setpriv --reuid="$tester" --regid="$tester" --init-groups -- "$@"; }

# Where the tester works: here, or in a copy. Sets tree and work.
choose_tree() {
  tree=$PWD
  work=${ORRERY_BUILD:-$tree/.build/tests}
  unreadable=$(as_tester sh -c 'cd "$1" && find . \( -path ./.build -o -path ./.orrery-demo \) -prune -o ! -readable -print -quit' - "$tree" 2>&1)
  if [ -n "$unreadable" ]; then
    place=/var/tmp/orrery-tests
    mkdir -p "$place" && [ ! -L "$place" ] && [ "$(stat -c %u "$place")" -eq 0 ] || { echo "$place is not root's" >&2; exit 1; }
    chmod 755 "$place"
    echo "the user $tester cannot read this tree: testing a copy of it in $place/tree"
    rm -rf "$place/tree"
    mkdir "$place/tree"
    tar -cf - --exclude=./.build --exclude=./.orrery-demo . | tar -xf - -C "$place/tree"
    chown -R "$tester:" "$place/tree"
    chmod -R u+rX "$place/tree"
    tree=$place/tree
    work=${ORRERY_BUILD:-$place/build}
  fi
  mkdir -p "$work" && chown -R "$tester:" "$work"
}

become_tester() {
  if ! id "$tester" >/dev/null 2>&1; then
    echo "creating the system user $tester, who runs the tests"
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /bin/sh "$tester" || exit 1
  fi
  choose_tree
  home=$(mktemp -d /tmp/orrery-tests.XXXXXX) || exit 1
  trap 'rm -rf "$home"' EXIT
  trap 'exit 130' INT TERM
  mkdir "$home/tmp" && chown -R "$tester:" "$home"
  as_tester env -i PATH="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" LC_ALL=C.UTF-8 HOME="$home" TMPDIR="$home/tmp" ORRERY_BUILD="$work" \
    CI="${CI:-}" sh "$tree/tests/run.sh" --installed --root-goes-on "$@"
}

# What only root can do, added to what the tester counted. The script is of this tree, which the tester cannot change, and the packages are
# what the tester has built.
as_root() {
  variant=release
  [ -f "$work/logs/counts" ] || { echo "the tests did not come to their end"; echo "0 passed, 1 failed"; exit 1; }
  read -r passed failed <"$work/logs/counts"
  if [ ! -f "$work/logs/release-package.log" ]; then report chroot "not run: no packages were made"
  elif ! unshare --mount --pid --fork --propagation unchanged true 2>/dev/null; then report chroot "not run: this root may not mount anything"
  else part chroot sh tests/package/chroot.sh "$work/release/package"
    add_counted chroot
  fi
  finish
}

seconds() { date +%s; }
report() { printf '%-10s %-11s %s\n' "$variant" "$1" "$2"; }

# What of a log tells why: the lines that name a failure, or its end.
excerpt() {
  grep -nE -A 3 '^not ok|^ *(FAILED|ERROR):|\[  FAILED|\[   LINE|error:|ERROR: |runtime error|Failure →|Error →|ended without' "$1" | head -n 60 >"$1.short"
  [ -s "$1.short" ] || tail -n 40 "$1" >"$1.short"
  sed 's/^/    /' "$1.short"
  echo "    (all of it: $1)"
  rm -f "$1.short"
}

# part NAME COMMAND...: runs it, reports, and leaves what it counted in counted/NAME.
part() {
  name=$1
  shift
  log=$work/logs/$variant-$name.log
  start=$(seconds)
  timeout -k 10 900 "$@" >"$log" 2>&1 </dev/null
  status=$?
  line=$(grep -aE '^([A-Za-z]+: )?[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1 | sed 's/^[A-Za-z]*: //')
  part_passed=0
  part_failed=0
  if [ -n "$line" ]; then
    part_passed=${line%% *}
    part_failed=${line#*, }
    part_failed=${part_failed%% *}
  fi
  # A part that ends badly, or in which nothing ran, has failed whatever it counted.
  if [ "$part_failed" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$part_passed" -eq 0 ]; }; then part_failed=1; fi
  echo "$part_passed $part_failed" >"$work/counted/$name"
  echo "$name $start $(seconds)" >>"$work/logs/$variant-parts"
  report "$name" "$(printf '%5d passed %4d failed %5d s' "$part_passed" "$part_failed" $(($(seconds) - start)))"
  [ "$part_failed" -eq 0 ] || excerpt "$log"
}

# at_once FUNCTION: does the work of all words in $names, each by FUNCTION WORD, as many at a time as there are processors. Most parts wait for
# clocks, disks and other programs most of the time. A part that never comes to counting has failed.
at_once() {
  rm -rf "$work/counted" "$work/claimed"
  mkdir "$work/counted" "$work/claimed"
  for worker in $(seq "$(nproc)"); do
    (
      for word in $names; do
        if mkdir "$work/claimed/$word" 2>/dev/null; then "$1" "$word"; fi
      done
    ) &
  done
  wait
  for word in $names; do add_counted "$word"; done
}

# Once no part runs any more: what is left then is nobody's.
no_strays() {
  part strays sh tests/strays.sh "$build" "$work/logs/$variant-parts"
  add_counted strays
}

add_counted() {
  part_passed=0
  part_failed=1
  if [ -f "$work/counted/$1" ]; then read -r part_passed part_failed <"$work/counted/$1"; else report "$1" "did not come to its end"; fi
  passed=$((passed + part_passed))
  failed=$((failed + part_failed))
}

# build CMAKE_OPTION...: configures and builds everything into $work/$variant.
build() {
  build=$work/$variant
  log=$work/logs/$variant-build.log
  start=$(seconds)
  launcher=
  if command -v ccache >/dev/null; then launcher=ccache; fi
  if cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER_LAUNCHER=$launcher "$@" >"$log" 2>&1 </dev/null &&
    cmake --build "$build" -- -k 0 >>"$log" 2>&1 </dev/null; then
    report build "ok $(($(seconds) - start)) s"
    return 0
  fi
  report build "does not build"
  failed=$((failed + 1))
  excerpt "$log"
  return 1
}

# Each part by its name: a script beside this one that needs the tree or what is built, or a folder's run.sh.
run_part() {
  case $1 in
    tidy) part tidy sh tests/tidy.sh ;;
    tidy_test | docs | install | package | threads) part "$1" sh "tests/$1.sh" "$build" ;;
    *) part "$1" sh "tests/$1/run.sh" "$build" ;;
  esac
}

# The folders' names, those that take longest first.
folders() {
  for script in tests/kill/run.sh tests/cli/run.sh tests/providers/run.sh tests/*/run.sh; do echo "${script%/run.sh}"; done | sed 's|tests/||' | awk '!seen[$0]++'
}

release() {
  variant=release
  build -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo || return
  names="tidy_test docs $(folders) install package"
  if [ -e .git ]; then names="tidy $names"; fi # it goes by what git tracks
  at_once run_part
  no_strays
}

# A report counts even where the process that made it was not looked at: AddressSanitizer's leaves a file. The other's cannot (its
# log_path has no effect beside the first), so it ends the process by a signal, which no test takes for an expected exit code.
sanitized() {
  variant=sanitized
  build -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=RelWithDebInfo -DORR_SANITIZE=ON || return
  reports=$work/reports
  rm -rf "$reports"
  mkdir "$reports"
  names="threads $(folders) install"
  export ASAN_OPTIONS="log_path=$reports/san:log_exe_name=1:detect_stack_use_after_return=1" UBSAN_OPTIONS="print_stacktrace=1:abort_on_error=1"
  at_once run_part
  no_strays
  unset ASAN_OPTIONS UBSAN_OPTIONS
  for found in "$reports"/*; do
    [ -f "$found" ] || continue
    failed=$((failed + 1))
    report report "$found"
    if [ -s "$found" ]; then head -n 30 "$found" | sed 's/^/    /'
    else echo "    empty: the process had ended before more of it was written"
    fi
  done
}

clang() {
  variant=clang
  build -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug
}

finish() {
  echo "logs are in $work/logs"
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

suite() {
  work=${ORRERY_BUILD:-$PWD/.build/tests}
  mkdir -p "$work/logs" && rm -f "$work/logs/"* || exit 1
  export CCACHE_DIR="${CCACHE_DIR:-$work/ccache}"
  passed=0
  failed=0
  began=$(seconds)
  for wanted in ${*:-release sanitized clang}; do
    case $wanted in
      release | sanitized | clang) $wanted ;;
      *) echo "no such build: $wanted (release, sanitized, clang)" >&2; exit 2 ;;
    esac
  done
  echo "$(($(seconds) - began)) s"
}

if [ "${1:-}" = --installed ]; then
  shift
  if [ "${1:-}" = --root-goes-on ]; then
    shift
    suite "$@"
    echo "$passed $failed" >"$work/logs/counts"
    exit
  fi
  suite "$@"
  finish
  exit
fi
sh docs/install-deps.sh test || exit
if [ "$(id -u)" -eq 0 ]; then
  become_tester "$@" || exit
  as_root
else
  suite "$@"
  echo "not run: package/chroot.sh, which installs the packages into a fresh Debian, takes root"
  finish
fi
