. "$1" # command: any program, without Lua

cat >backup.sh <<'SH'
#!/bin/sh
echo "progress: 10"
echo "message: copying"
[ "$1 $2" = "two words --flag" ] || exit 9
env | sort >"$OUTPUT.env"
pwd >"$OUTPUT.cwd"
echo "the output" >"$OUTPUT"
echo "id: outside-7"
echo "path: $OUTPUT"
echo "progress 95%"
[ -z "$SAY" ] || echo "$SAY"
printf 'size: %d' "$(stat -c %s "$OUTPUT")"
exit "${CODE:-0}"
SH
cat >wait.sh <<'SH'
#!/bin/sh
echo "progress: 30"
sleep 60
SH
cat >remove.sh <<'SH'
#!/bin/sh
[ "$ORRERY_EXTERNAL_ID" = outside-7 ] || { echo "no id" >&2; exit 4; }
rm -f "$ORRERY_PATH"
SH
cat >extract.sh <<'SH'
#!/bin/sh
tr a-z A-Z <"$ORRERY_PATH" >"$ORRERY_DESTINATION"
SH
chmod +x ./*.sh
printf 'KEY=hush-hush\nOTHER=x\n' >keys
new() { name=$1; shift; run backup create "$name" --provider command --set env="OUTPUT=$PWD/output" "$@"; }

new bad --set argv="tar -c / | gzip"
ok "a shell's line is refused" complains "'|' means something to a shell"
new bad --set argv="nothing-of-the-kind --now"
ok "a program that is not there" complains "nothing-of-the-kind is not installed"
new bad --set argv="$PWD/output"
ok "a file that is none" complains "is no program that can be run"
new bad --set argv="sh 'open"
ok "a quote that is not closed" complains "has a ' that is not closed"
new bad --set argv="true" --set cwd=/nowhere
ok "a folder that is not there" complains "there is no folder /nowhere"
new bad
ok "argv is required" complains "argv: "

new text --set argv="$PWD/backup.sh 'two words' --flag" --set cwd="$PWD/source" --set secretEnv=@keys --set deleteArgv="$PWD/remove.sh"
ok "text becomes a list" exits 0
run backup run text --set label='a "b"' --wait --json
ok "exit 0 is success" ended SUCCEEDED
id=$(field uuid)
ok "path" is "$(field resultPath)" "$PWD/output"
ok "size, also without a line end" is "$(field sizeInBytes)" 11
ok "id" is "$(field externalId)" outside-7
ok "message" is "$(field statusMessage)" copying
ok "it ran in its folder" is "$(cat output.cwd)" "$PWD/source"
ok "ORRERY_RESULT_UUID" grep -qx "ORRERY_RESULT_UUID=$id" output.env
ok "ORRERY_RESULT_ID" grep -qx "ORRERY_RESULT_ID=$(field id)" output.env
ok "ORRERY_BACKUP_NAME" grep -qx "ORRERY_BACKUP_NAME=text" output.env
ok "ORRERY_TRIGGER" grep -qx "ORRERY_TRIGGER=manual" output.env
ok "ORRERY_EXECUTION_CONFIG" grep -qxF 'ORRERY_EXECUTION_CONFIG={"label":"a \"b\""}' output.env
ok "secrets arrive" grep -qx "KEY=hush-hush" output.env
ok "and are kept nowhere" not grep -rqs hush-hush data out err
run result extract "$id" --to copy --json
ok "without extractArgv its output is copied" cmp -s output copy
ok "with its digest" is "$(field sha256)" "$(sha256sum <copy | cut -d' ' -f1)"
run result rm "$id" --yes
ok "deleteArgv removes it" test ! -e output

new list --set argv="[\"$PWD/backup.sh\", \"two words\", \"--flag\"]" --set env="[\"OUTPUT=$PWD/output\", \"SAY=warning: one was skipped\"]" --set extractArgv="$PWD/extract.sh" --set deleteArgv="$PWD/remove.sh"
run backup run list --wait --json
ok "a list, and a warning" ended SUCCEEDED_WARNING
ok "which is told" is "$(field statusMessage)" "one was skipped"
ok "exit 3" exits 3
id=$(field uuid)
run result extract "$id" --to shouted
ok "extractArgv" is "$(cat shouted)" "THE OUTPUT"
rm output
run result rm "$id" --yes
ok "deleting what is gone already is fine" exits 0

new warns --set argv="$PWD/backup.sh 'two words' --flag" --set env="OUTPUT=$PWD/output
CODE=3" --set warningExitCodes="3,4"
run backup run warns --wait --json
ok "an exit code that is a warning" ended SUCCEEDED_WARNING
ok "keeps what the command said last" is "$(field statusMessage)" "exit code 3"
run result rm "$(field uuid)" --yes
ok "without deleteArgv the record goes" exits 0
ok "and the output stays" test -e output

new fails --set argv='sh -c "echo doing; echo it broke >&2; exit 7"'
run backup run fails --wait --json
ok "any other exit code is a failure" ended FAILED
ok "with the code and the last line" is "$(field errorMessage)" "exit code 7: it broke"
ok "and the output" is "$(field errorOutput)" 'doing\nit broke'
new signal --set argv="sh -c 'kill -SEGV \$\$'"
run backup run signal --wait --json
ok "a signal is told" says "ended by signal 11"

new waits --set argv="$PWD/wait.sh"
run backup run waits --json
id=$(field uuid)
run result cancel "$id" --wait --json
ok "a running one is cancelled" ended CANCELLED

# The runtime dies in the middle; the program does not, and another runtime finds it.
new crash --set argv='sh -c "echo begun; sleep 4; echo progress: 80; echo done > result"' --set cwd="$PWD"
later backup run crash --wait >/dev/null 2>&1 &
runtime=$!
has_begun() { grep -qs begun data/jobs/*/command/log && grep -qs '^end' data/jobs/*/command/begun; }
until_ok has_begun
kill -9 "$runtime"
wait "$runtime" 2>/dev/null
newest
ok "after kill -9 it is still in progress" ended IN_PROGRESS
id=$(field uuid)
run result watch "$id" --json
ok "it is adopted and succeeds" ended SUCCEEDED
ok "having run once" is "$(o result log "$id" | grep -c begun)" 1
