. "$1" # SIGINT and SIGTERM while a command waits: exit 130 within 5 s, and the backup goes on.

o backup create nap --provider nap --set seconds=2 >/dev/null
o backup create slow --provider nap --set seconds=1 --set slow=15 >/dev/null
for signal in INT TERM; do
  : >run.err # the round before said it too
  later backup run nap --wait >run.out 2>run.err &
  waiting=$!
  until_ok grep -q IN_PROGRESS run.err
  kill -$signal "$waiting"
  wait "$waiting"
  status=$?
  err=$(cat run.err)
  ok "SIG$signal exits 130" exits 130
  ok "and says how to go on" complains "orrery result watch"
  id=$(sed -n 's/.*result watch //p' run.err)
  run result watch "$id"
  ok "the backup went on" exits 0
done

later backup run slow --wait >run.out 2>run.err &
waiting=$!
until_ok test -S "$data/socket"
sleep 0.3
begun=$(date +%s)
kill -INT "$waiting"
wait "$waiting"
status=$?
ok "with a hook in flight too" exits 130
ok "within 5 s" test $(($(date +%s) - begun)) -le 6
run db check
ok "the database is sound" exits 0

o backup ls | true
run backup ls
ok "a reader that leaves harms nobody" exits 0
