. "$1" # The directory changes hands while somebody waits: nothing is lost, and nobody notices.

o backup create nap --provider nap --set seconds=3 >/dev/null
o backup create slow --provider nap --set seconds=1 --set slow=6 >/dev/null # longer than any command drains
# Is the directory held by this pid? (Asking makes us the holder for a moment where nobody is.)
held_by() { o status --json | grep -q "\"pid\":$1,"; }

# A command that waits is the runtime; serve takes over; the command goes on as a client.
later backup run nap --wait --json >run.out 2>run.err &
waiting=$!
ok "a command that waits serves the socket" until_ok held_by "$waiting"
run status --json
ok "it is a command that answers another one" json "r['role'] == 'command' and r['pid'] == $waiting"
start_serve
ok "serve asked for the directory" grep -q "asking it to hand over" serve.log
run status --json
ok "serve has it now" json "r['role'] == 'serve' and r['pid'] == $serve"
wait "$waiting"
status=$?
cp run.out out
ok "the command saw the end all the same" exits 0
ok "and printed it" json 'r["status"] == "SUCCEEDED"'
run result ls --backup nap --json
ok "it was executed once" json 'len(r) == 1'

# The daemon ends under a command that follows: that becomes the runtime itself.
later backup run nap --wait --json >run.out 2>run.err &
waiting=$!
sleep 0.5
end_serve
wait "$waiting"
status=$?
cp run.out out
ok "a client outlives its daemon" exits 0
ok "and sees the end" json 'r["status"] == "SUCCEEDED"'

# A hook in flight is finished before the directory is handed over.
later backup run slow --wait --json >run.out 2>run.err &
waiting=$!
until_ok held_by "$waiting"
start_serve
wait "$waiting"
status=$?
cp run.out out
ok "a hook in flight is finished" exits 0
run result show "$(get run.out 'r["uuid"]')" --journal --json
ok "and was called once" json '[op["hook"] for op in r["ops"]].count("executeBackup") == 1'
end_serve

# Following events across both.
later events --follow --json >events.out 2>&1 &
following=$!
until_ok held_by "$following"
start_serve
o backup run nap >/dev/null
seen() { grep -q result.accepted events.out && tail -n 1 events.out | grep -q result; }
ok "events go on after a handover" until_ok seen
ok "none is printed twice" test -z "$(grep -o '^{"id":[0-9]*' events.out | sort | uniq -d)"
kill -INT "$following"
wait "$following"
status=$?
ok "interrupting exits 130" exits 130
end_serve

# Two commands at a time: the one that is the runtime comes to its end while a hook of the other's acts, longer than any wait for what is not
# to be cleared up, and longer than anybody tries to reach a runtime.
o backup create gated --provider nap --set seconds=0.1 --set gate="$PWD/gate" >/dev/null
touch gate
acts() {
  o result ls --backup gated --json >acts.json 2>acts.err && o result show "$(get acts.json 'r[0]["uuid"]')" --journal --json 2>>acts.err |
    grep -q '"hook":"executeBackup"'
}
later backup run nap --set seconds=600 --wait >first.out 2>&1 &
first=$!
until_ok held_by "$first"
later backup run gated --wait --json >second.out 2>second.err &
second=$!
until_ok acts
o result cancel "$(o result ls --backup nap --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["uuid"])')" >cancel.out 2>&1
later backup run nap --set seconds=0.1 --wait >third.out 2>third.err &
third=$!
ok "a third waits until the directory is free" until_ok grep -q "another command is closing the runtime and has a hook at work" third.err
rm gate
wait "$third"; ok "and then runs" test $? -eq 0
wait "$first"; ok "the holder's own backup was cancelled" test $? -ne 0
ok "it says what it stays for" grep -q "a hook is still at work, and is waited for" first.out
wait "$second"; ok "the one that used it ends well" test $? -eq 0
run result show "$(get second.out 'r["uuid"]')" --journal --json
ok "its hook was called once" json '[op["hook"] for op in r["ops"]].count("executeBackup") == 1'

# Many commands at once, none of them a daemon: each finds a runtime, is one, or takes over from one that ends.
o backup create quick --provider nap --set seconds=0.1 >/dev/null
pids=
for i in 1 2 3 4 5 6 7 8; do
  later backup run quick --wait >"crowd$i.out" 2>&1 &
  pids="$pids $!"
  later status >/dev/null 2>&1 &
  pids="$pids $!"
done
bad=0
for pid in $pids; do wait "$pid" || bad=$((bad + 1)); done
err=$(cat crowd*.out)
ok "a crowd of commands all succeed" test "$bad" -eq 0
run result ls --backup quick --json
ok "each ran once" json 'len(r) == 8'
