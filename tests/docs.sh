#!/bin/sh
# Checks the documentation: sh tests/docs.sh BUILD_DIR
#
# Tables are what the code says, links lead somewhere, whole providers in the text pass `orrery provider check`, scripts parse.
# Ends with `N passed, N failed`.
set -u

build=$(cd "$1" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
out=$(sh docs/gen.sh --check 2>&1) || echo "$out"
line=$(echo "$out" | tail -n 1)
passed=${line%% *}
failed=${line#*, }
failed=${failed%% *}
case $passed$failed in *[!0-9]*) passed=0 failed=1 ;; esac

# counted WHAT: the success of the last command.
counted() {
  if [ "$?" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not ok $1"; fi
}

for file in README.md docs/*.md docs/decisions/*.md; do
  bad=$(grep -oE '\]\([^)#: ]+' "$file" | sed 's/^](//' | while IFS= read -r target; do
    [ -e "$(dirname "$file")/$target" ] || echo "$target"
  done)
  [ -z "$bad" ]
  counted "$file links to what is not there: $bad"
done

for file in docs/*.sh tests/*.sh tests/*/*.sh .ci/run; do
  sh -n "$file"
  counted "$file does not parse"
done

# A fenced block of Lua that declares a provider is one, whole: in a file called like its code.
for file in README.md docs/providers.md; do
  awk -v place="$place" '
    /^```lua/ { inside = 1; text = ""; code = ""; next }
    /^```/ { if (inside && code != "") print text >(place "/" code ".lua"); inside = 0; next }
    inside { text = text $0 "\n"; if (match($0, / code = "[a-z]+"/)) code = substr($0, RSTART + 9, RLENGTH - 10) }' "$file"
done
for name in acme hello; do
  "$build/orrery" --data "$place/data" provider check "$place/$name.lua" >"$place/out" 2>&1 || { cat "$place/out"; false; }
  counted "the provider $name in the documentation fails its check"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
