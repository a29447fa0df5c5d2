#!/bin/sh
# Checks the documentation: tables are what the code says, links lead somewhere, shell scripts parse. sh tests/docs.sh
set -u

cd "$(dirname "$0")/.." || exit 1
out=$(sh docs/gen.sh --check 2>&1) || echo "$out"
line=$(echo "$out" | tail -n 1)
passed=${line%% *}
failed=${line#*, }
failed=${failed%% *}
case $passed$failed in *[!0-9]*) passed=0 failed=1 ;; esac

# check FILE WHAT: the last command's success, counted.
check() {
  if [ "$?" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not ok $1: $2"; fi
}

# Links of Markdown files to files of ours.
for file in README.md docs/*.md docs/decisions/*.md; do
  bad=$(grep -oE '\]\([^)#: ]+' "$file" | sed 's/^](//' | while IFS= read -r target; do
    [ -e "$(dirname "$file")/$target" ] || echo "$target"
  done)
  [ -z "$bad" ]
  check "$file" "links to what is not there: $bad"
done

for file in docs/*.sh tests/*.sh tests/*/*.sh .ci/run; do
  [ -f "$file" ] || continue
  sh -n "$file"
  check "$file" "does not parse"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
