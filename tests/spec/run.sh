#!/bin/sh
# Runs the contract spec of a build and counts its cases: sh tests/spec/run.sh BUILD_DIR [NAME ...]
#
# NAME picks files (creation: creation_spec.lua); all, if none is given. Every file runs in a process of its own, so that one that
# ends badly takes no other with it: it counts as one failed case.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
shift
program=$build/tests/orrery-spec
runner=$build/orrery-runner
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

[ $# -gt 0 ] || set -- $(cd "$here" && for file in *_spec.lua; do echo "${file%_spec.lua}"; done)
for name in "$@"; do
  echo "== $name"
  "$program" "$here" "$runner" --output=TAP --pattern=_spec "$here/${name}_spec.lua" 2>&1
  echo "== $name ended with $?"
done | tee "$out"
awk '
  /^ok / { passed++ }
  /^not ok / { failed++; named = 1 }
  /^== .* ended with / { if ($NF != 0 && !named) { failed++; print $2 ": ended without naming a failed case" } named = 0 }
  END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 || passed == 0 }' "$out"
