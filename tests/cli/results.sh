. "$1" # A result from its start to its end, and the exit codes that tell how it was.

made() { o backup create "$@" --provider nap >/dev/null; }
made quick --set seconds=0.2
made fails --set seconds=0.2 --set ends=FAILED
made warns --set seconds=0.2 --set ends=SUCCEEDED_WARNING
made long --set seconds=60

run backup run quick --wait
ok "SUCCEEDED exits 0" exits 0
ok "the end is told" says "SUCCEEDED in"
ok "progress is lines where there is no terminal" complains "quick: IN_PROGRESS"
run backup run fails --wait
ok "FAILED exits 1" exits 1
ok "FAILED says why" says "overslept"
run backup run warns --wait
ok "SUCCEEDED_WARNING exits 3" exits 3
run result ls
ok "the list says what went wrong" says "overslept"
ok "the list has no escapes where there is no terminal" sh -c '! grep -q "$(printf "\033")" out'
run result ls --color always
ok "colours can be forced" grep -q "$(printf '\033')" out

run backup run long --json
id=$(get out 'r["uuid"]')
run result cancel "$(printf %.8s "$id")" --wait
ok "a prefix of the uuid does; cancelled as asked exits 0" exits 0
ok "it is cancelled" says CANCELLED
run result watch "$id"
ok "watching what was cancelled exits 1" exits 1
run result extract "$id" --to -
ok "there is nothing to extract of what was cancelled" exits 5
run result ls --status SUCCEEDED --json
done_id=$(get out 'r[0]["uuid"]')
run result extract "$done_id" --to -
ok "extract to standard output" test "$out" = "slept well"
run result extract "$done_id" --to here
ok "extract to a file, relative" test "$(cat here)" = "slept well"
run result log "$id"
ok "a result without jobs has no log" exits 0
run result show "$id" --journal
ok "the journal names the hooks" says executeBackup
run result rm "$id"
ok "rm wants --yes" exits 2
run result rm "$id" --yes
ok "rm" exits 0
run result show "$id"
ok "then it is gone" exits 4
run backup rm quick --yes
ok "a Backup with results stays" exits 5
run backup rm quick --with-results --yes
ok "unless they go too" exits 0
run events --backup fails --json
ok "events of a Backup" json 'r and all(e["backupId"] == r[0]["backupId"] for e in r)'
