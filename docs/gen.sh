#!/bin/sh
# Writes the tables of the documentation from the definitions in the code: sh docs/gen.sh [--check]
#
# A table stands in docs/*.md between the lines `<!-- begin NAME -->` and `<!-- end NAME -->`. With --check nothing is
# written: it says which files are not what would be written, ends with `N passed, N failed`, and exits 1 if there is one.
set -eu

cd "$(dirname "$0")/.."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I runtime docs/gen.c -o "$made/gen"
for name in hooks hook-pages declaration fields errors requests checks findings; do "$made/gen" $name >"$made/$name"; done
sh docs/functions.sh >"$made/functions"
library() { for name in "$@"; do echo "bindings/prelude/$name.lua"; done; }
awk -f docs/libraries.awk $(library response http session process job parallel retry poll external sleep json time fs log url base64 hash hmac uuid secret host) \
  >"$made/libraries"
awk -f docs/libraries.awk $(library base string table math os coroutine) >"$made/changed"

passed=0
failed=0
for file in docs/*.md; do
  grep -q '^<!-- begin ' "$file" || continue
  awk -v made="$made" '
    /^<!-- end / { inside = 0 }
    !inside { print }
    /^<!-- begin / {
      inside = 1
      print ""
      while ((getline line < (made "/" $3)) > 0) print line
      print ""
    }' "$file" >"$made/file"
  if cmp -s "$made/file" "$file"; then
    passed=$((passed + 1))
  elif [ "${1:-}" = --check ]; then
    failed=$((failed + 1))
    echo "not ok $file: run sh docs/gen.sh"
    diff -u "$file" "$made/file" | head -n 20 || true
  else
    cp "$made/file" "$file"
    echo "wrote $file"
  fi
done
if [ "${1:-}" = --check ]; then echo "$passed passed, $failed failed"; fi
[ "$failed" -eq 0 ]
