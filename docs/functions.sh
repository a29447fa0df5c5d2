#!/bin/sh
# Prints the table of the functions of orrery.h: which command of `orrery` stands on each, and which example shows it. sh docs/functions.sh
#
# That a command uses a function is read from its source, so the table says what is so; `-` is what only hosts need.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."

command_of() {
  case $1 in
    holder.c | dispatch.c | client.c | protocol.c | cli.c | cli_parse.c | cli_place.c | render_*.c | cli_result.c | cli_set.c) echo "every command" ;;
    serve*.c) echo serve ;;
    cli_doctor.c | doctor_*.c) echo doctor ;;
    cli_help.c) echo help ;;
    cli_complete.c | cli_completion.c) echo completion ;;
    cli_try.c | cli_dev.c) echo "provider call" ;;
    cli_look.c) echo "db check" ;;
    cli_prune.c) echo "backup prune" ;;
    kit_*.c) echo "provider test" ;;
    *) echo "$1" | sed 's/^cli_//; s/\.c$//' ;;
  esac
}

# A list of lines, each once, as a cell.
cell() { sort -u | awk '{ printf "%s%s", gap, $0; gap = ", " } END { if (NR == 0) printf "-" }'; }

echo "| function | command | example |"
echo "| --- | --- | --- |"
awk '/^ORR_API / { match($0, /orr_[a-z_]+\(/); print substr($0, RSTART, RLENGTH - 1) }' runtime/include/orrery.h | while read -r name; do
  commands=$(grep -lw "$name" runtime/host/*.c bindings/kit/*.c 2>/dev/null | while read -r file; do command_of "${file##*/}"; done | cell)
  case $commands in *"every command"*) commands="every command" ;; esac
  examples=$(grep -lw "$name" docs/examples/*/*.c docs/examples/*/*.h docs/examples/*/*.hpp docs/examples/*/*/*.py tests/unit/test_host_*.c 2>/dev/null | grep -v _library.py |
    awk '{ path = $0; $0 = /^tests/ ? "tests" : path; n = split(path, part, "/"); word = /^tests/ ? part[n] : part[3] "/" part[n]
           if (/^tests/) test = test == "" ? "[" part[n] "](../" path ")" : test
           else if (shown == "") shown = "[" word "](" substr(path, 6) ")" }
         END { print shown != "" ? shown : test }')
  echo "| \`$name\` | $commands | ${examples:--} |"
done
