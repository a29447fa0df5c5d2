#!/bin/sh
# Wrong builds, each of which a named test has to catch: sh tests/mutants/run.sh BUILD_DIR [NAME ...]
#
# A mutant is NAME.patch: a head of `#` lines that say what is wrong with it and who must notice, then a small diff. What it touches is
# compiled as BUILD_DIR's own files are, and takes their place when a test is linked; nothing of BUILD_DIR or the tree is changed.
# Then the test is run, and this very case of it has to fail: no other one, and no program that does not even start.
#
#   # caught by: unit PROGRAM FUNCTION        a function of a unit test
#   # caught by: spec FILE THE TITLE          a case of tests/spec/FILE_spec.lua
#   # caught by: kill STEP THE CHECK          the beginning of a check of the kill harness, with kills at that step
#
# Only .c files of the layers can be changed, since nothing else is compiled anew. As many mutants at a time as there are
# processors. In a sanitized build it is only looked whether the patches still apply. NAME picks mutants; all, if none is given. Ends with
# `N passed, N failed`. Why patches: docs/decisions/0010-mutants-are-patches.md.
set -u

LIMIT=240
KILLS=24
KILL_LIMIT=300

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
root=$(CDPATH= cd "$here/../.." && pwd -P) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
shift
sanitized=
if grep -q "^ORR_SANITIZE:BOOL=ON" "$build/CMakeCache.txt"; then sanitized=yes; fi

fault() {
  echo "not ok $*"
  return 1
}

# What a target of the build is made by: the last command is its own.
command_of() { ninja -C "$build" -t commands "$1" 2>/dev/null | tail -n 1; }

# The files that a patch changes.
touched() { sed -n 's|^+++ b/||p' "$1"; }

# apply NAME PATCH DIR: the mutant's own copies of what it changes, in a folder that is no repository.
apply() {
  mkdir -p "$3"
  for file in $(touched "$2"); do
    case $file in
      *.c) mkdir -p "$3/$(dirname "$file")" ;;
      *) fault "$1: changes $file, but only .c files are compiled anew"; return ;;
    esac
    cp "$root/$file" "$3/$file" || { fault "$1: there is no $file any more: make the patch anew"; return; }
  done
  (cd "$3" && GIT_CEILING_DIRECTORIES=$(dirname "$3") git apply -C1 --whitespace=nowarn "$2") >"$3/apply.log" 2>&1 && return
  sed 's/^/    /' "$3/apply.log"
  fault "$1: its patch does not apply: the code has moved, make it anew"
}

# compile NAME PATCH DIR: DIR/objects has the pairs of the build's object and ours.
compile() {
  : >"$3/objects"
  for file in $(touched "$2"); do
    object=$(ninja -C "$build" -t targets all | sed -n "s|^\(CMakeFiles/orr_[a-z]*\.dir/$file\.o\):.*|\1|p")
    [ -n "$object" ] || { fault "$1: $file is part of no layer of $build"; return; }
    own=$3/$(echo "$file" | tr / _).o
    line=$(command_of "$object" | sed "s|\$| -w|; s|-c $root/$file|-c $3/$file|; s|-MF $object\.d|-MF $own.d|; s|-o $object|-o $own|")
    case $line in *" -c $3/$file"*) ;; *) fault "$1: $build is of another tree than $root"; return ;; esac
    (cd "$build" && eval "$line") >"$3/compile.log" 2>&1 || { sed 's/^/    /' "$3/compile.log"; fault "$1: $file does not compile"; return; }
    echo "$object $own" >>"$3/objects"
  done
}

# link TARGET DIR: DIR/<program>. An object in an archive gives way to one of the same name before it.
link() {
  line=$(command_of "$1" | sed "s| -o $1 | -o $2/$(basename "$1") |; s|^: && ||; s| && :\$||")
  ours=
  while read -r object own; do
    case $line in
      *" $object "*) line=$(echo "$line" | sed "s| $object | $own |") ;;
      *) ours="$ours $own" ;;
    esac
  done <"$2/objects"
  [ -z "$ours" ] || line=$(echo "$line" | sed "s| -o |$ours -o |")
  (cd "$build" && eval "$line") >"$2/test.log" 2>&1
}

# caught KIND WHO WHAT DIR: does the case fail? The log is DIR/test.log.
caught() {
  log=$4/test.log
  case $1 in
    unit)
      link "tests/$2" "$4" || return
      timeout -k 5 "$LIMIT" "$4/$2" >"$log" 2>&1
      grep -qxF "[  FAILED  ] $3" "$log"
      ;;
    spec)
      link tests/orrery-spec "$4" || return
      timeout -k 5 "$LIMIT" "$4/orrery-spec" "$root/tests/spec" "$build/orrery-runner" --output=TAP --pattern=_spec \
        --filter="$(echo "$3" | sed 's/[][()%.*+?^$-]/%&/g')" "$root/tests/spec/$2_spec.lua" >"$log" 2>&1
      grep -E '^not ok ' "$log" | grep -qF "$3"
      ;;
    kill)
      link orrery "$4" || return
      ln -sf "$build/orrery-runner" "$4/orrery-runner"
      timeout -k 5 "$KILL_LIMIT" "$build/tests/orrery-kill" --orrery "$4/orrery" --outside "$build/tests/orrery-kill-outside" \
        --providers "$root/tests/kill/providers" --seed 7 --at "$2" --kills "$KILLS" --seconds "$KILL_LIMIT" >"$log" 2>&1
      folder=$(sed -n 's/^# everything is in //p' "$log")
      case $folder in */orrery-kill-*) rm -rf "$folder" ;; esac
      grep -q "^not ok $3" "$log"
      ;;
    *) echo "'$1' is no kind of test" >"$log"; return 1 ;;
  esac
}

# mutant NAME: lines `ok ...` and `not ok ...`.
mutant() {
  patch=$here/$1.patch
  dir=$work/$1
  [ -f "$patch" ] || { fault "$1: there is no $patch"; return; }
  sed -n 's/^# caught by: //p' "$patch" >"$dir.by"
  [ -s "$dir.by" ] || { fault "$1: its head does not say what it is caught by"; return; }
  apply "$1" "$patch" "$dir" || return
  if [ -n "$sanitized" ]; then
    echo "ok $1 applies"
    return
  fi
  compile "$1" "$patch" "$dir" || return
  while read -r kind who what; do
    if caught "$kind" "$who" "$what" "$dir"; then
      echo "ok $1 is caught by: $kind $who $what"
    else
      tail -n 15 "$dir/test.log" | sed 's/^/    /'
      fault "$1 is not caught by: $kind $who $what"
    fi
  done <"$dir.by"
  rm -rf "$dir"
}

# How the lines below run several at a time.
if [ "${1:-}" = --one ]; then
  work=$2
  mutant "$3" >"$work/$3.out"
  exit 0
fi

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
if [ -n "$sanitized" ]; then echo "a sanitized build: the patches are applied, and not run"; fi
cd "$here" || exit 1
[ $# -gt 0 ] || set -- $({ grep -l '^# caught by: kill' ./*.patch; grep -L '^# caught by: kill' ./*.patch; } | sed 's|^\./||; s|\.patch$||') # the slow first
printf '%s\n' "$@" | xargs -P "$(nproc)" -I NAME sh "$here/run.sh" "$build" --one "$work" NAME
for name in "$@"; do cat "$work/$name.out" 2>/dev/null || echo "not ok $name: nothing was run"; done | tee "$work/out"
awk '/^ok / { passed++ } /^not ok / { failed++ } END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 || passed == 0 }' "$work/out"
