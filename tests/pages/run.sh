#!/bin/sh
# Follows docs/write-a-provider.md to the letter in an empty folder: sh tests/pages/run.sh BUILD_DIR
#
# A block of python or lua becomes the file that its first line names; a block of sh is typed, all in one shell, which must succeed; each
# line of a block of text must stand in what the commands before it have printed. The only thing that is not as on the page is the port. Ends with
# `N passed, N failed`.
set -u

build=$(cd "$1" && pwd) || exit 1
page=$(cd "$(dirname "$0")/../../docs" && pwd)/write-a-provider.md
place=$(mktemp -d) || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$place"' EXIT
mkdir "$place/bin" "$place/work" "$place/blocks"
ln -s "$build/orrery" "$place/bin/orrery"
PATH=$place/bin:$PATH HOME=$place/work
unset ORRERY_DATA ORRERY_PROVIDERS
export PATH HOME
cd "$place/work" || exit 1

port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])') || exit 1

# The blocks, numbered, with their kind as suffix. What is typed into the background is the server.
awk -v blocks="$place/blocks" -v port="$port" '
  /^```[a-z]+$/ { kind = substr($0, 4); number++; next }
  /^```$/ { kind = ""; next }
  kind != "" { gsub(/8123/, port); print >(sprintf("%s/%03d.%s", blocks, number, kind)) }' "$page"

passed=0
failed=0
counted() {
  if [ "$?" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "not ok $1"; fi
}

# One shell for all: its variables last from block to block.
: >"$place/said"
for block in "$place"/blocks/*; do
  case $block in
    *.python | *.lua)
      name=$(head -n 1 "$block" | sed 's/^[-#]* *//; s/:.*//')
      mkdir -p "$(dirname "$name")"
      cp "$block" "$name"
      counted "$name could not be written"
      ;;
    *.sh)
      : >"$place/said"
      set -e
      eval "(set -e; . '$block'; export -p >'$place/kept'; jobs -p >'$place/jobs') >'$place/said' 2>&1 </dev/null" && status=0 || status=$?
      set +e
      . "$place/kept"
      if [ -s "$place/jobs" ]; then
        server=$(cat "$place/jobs")
        tries=0
        until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null || [ $tries -ge 600 ]; do tries=$((tries + 1)); sleep 0.1; done
      fi
      : >"$place/jobs"
      [ "$status" -eq 0 ]
      counted "$(head -n 3 "$block" | tr '\n' ';') ended with $status: $(tail -n 5 "$place/said")"
      ;;
    *.text)
      while IFS= read -r line; do
        grep -qF -- "$line" "$place/said"
        counted "'$line' was not said, but: $(tail -n 30 "$place/said")"
      done <"$block"
      ;;
  esac
done

[ "$passed" -gt 20 ]
counted "the page has hardly anything to type: is it read as it was meant?"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
