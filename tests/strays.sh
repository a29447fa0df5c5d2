#!/bin/sh
# Job runners that tests have left behind: sh tests/strays.sh BUILD_DIR [PARTS]
#
# A local job outlives its runtime by design, so a test that begins one has to see it ended, and what is ending gets 30 s for it here. Only processes
# that run a job runner of this very build count, none that is as old as PARTS: a file with a line `name start end` (seconds since 1970) for each
# part that ran, to tell which were running when one began. They are named and left alone. Ends with `N passed, N failed`.
set -u

build=$(CDPATH= cd "$1" && pwd -P) || exit 1
parts=${2:-/dev/null}
began=0
if [ -s "$parts" ]; then began=$(awk 'NR == 1 || $2 < first { first = $2 } END { print first }' "$parts"); fi

age() { ps -o etimes= -p "$1" 2>/dev/null | tr -d ' '; }

# A line `id start` for each. What a process runs is read as a link, which one that has ended does not have any more.
left() {
  find /proc/[0-9]*/exe -maxdepth 0 \( -lname "$build/orrery-runner" -o -lname "$build/orrery-runner (deleted)" -o \
    -lname "$build/tests/orrery-runner-dies" -o -lname "$build/tests/orrery-runner-dies (deleted)" \) 2>/dev/null | cut -d / -f 3 |
    while read -r id; do
      start=$(($(date +%s) - $(age "$id" | grep . || echo 0)))
      if [ "$start" -ge "$began" ]; then echo "$id $start"; fi
    done
}

words() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | cut -c 1-300; }

# The runner's child is its tool, and its sixth descriptor the job's directory; the keeper above it has the same name and neither.
describe() {
  echo "not ok the process $1 is still there after $(($(date +%s) - $2)) s: $(words "$1")"
  [ "$parts" = /dev/null ] || echo "  # began during: $(awk -v at="$2" '$2 <= at + 1 && at <= $3 + 1 { printf "%s ", $1 }' "$parts")"
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do echo "  # runs $child: $(words "$child")"; done
  echo "  # in $(readlink "/proc/$1/cwd" 2>/dev/null), of $(readlink "/proc/$1/fd/6" 2>/dev/null || echo "no job directory")"
}

tries=0
while [ -n "$(left)" ] && [ "$tries" -lt 30 ]; do
  tries=$((tries + 1))
  sleep 1
done
found=$(left)
if [ -z "$found" ]; then
  echo "ok no job runner of this build is left"
  echo "1 passed, 0 failed"
  exit 0
fi
echo "$found" | while read -r id start; do describe "$id" "$start"; done
echo "0 passed, $(echo "$found" | wc -l) failed"
exit 1
