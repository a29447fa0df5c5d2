. "$1" # The daemon: who holds a directory, how it is reached, how it ends.

start_serve
ok "serve says that it is ready" grep -q "level=info msg=ready" serve.log
ok "the socket is the user's alone" test "$(stat -c %a "$data/socket")" = 600
begun=$(date +%s)
run serve
ok "a second serve exits 7" exits 7
ok "a second serve names the other and the directory" complains "pid $serve) holds $data"
ok "a second serve is one line" test "$(wc -l <err)" -eq 1
ok "a second serve says so at once, and waits for nobody" test $(($(date +%s) - begun)) -lt 10

run backup create one --provider nap --set seconds=0.2
ok "commands go through the socket" exits 0
run status --json
ok "and it is the daemon that answers" json "r['role'] == 'serve' and r['pid'] == $serve"
run backup run one --wait
ok "run --wait through the socket" exits 0
run backup run one --json
ok "run through the socket does not wait" json 'r["status"] == "START_REQUESTED"'
ok "nor does it speak of serve" test -z "$err"
run backup show nope
ok "errors come through the socket" exits 4
run backup create two --provider nap --set seconds=x --json
ok "with their fields" json '"seconds" in r["errors"]'
run db check
ok "a database in use is not checked" exits 7
run backup create ticks --provider nap --set seconds=0 --schedule '@every 1s' --json
ok "a schedule through the socket" exits 0
fired() { o result ls --backup ticks --json | grep -q '"trigger":"schedule"'; }
ok "it fires" until_ok fired
o backup pause ticks >/dev/null

# A client that speaks nonsense, and one that never reads, harm nobody.
python3 - "$data/socket" >talk <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b'nonsense\n{"id":1,"request":"runtime.info"}\n{"id":2,"request":"no.such"}\n{"id":3,"request":"runtime.handover"}\n\xff\n{"id":4,"request":"events","args":{"follow":true,"after":0}}\n')
s.shutdown(socket.SHUT_WR)
f = s.makefile()
seen = {}
for line in f:
    m = json.loads(line)
    seen.setdefault(m["id"], m)
    if {1, 2, 3, 4} <= set(seen): break
print(seen[0]["error"]["code"], seen[1]["data"]["role"], seen[2]["error"]["code"], seen[3]["error"]["code"], seen[4]["type"])
mute = [socket.socket(socket.AF_UNIX) for _ in range(10)]
for m in mute:
    m.connect(sys.argv[1])
    m.sendall(b'{"id":1,"request":"provider.ls"}\n' * 3)
PY
ok "the protocol answers what is wrong" test "$(cat talk)" = "invalid serve invalid refused update"
run status
ok "and goes on" exits 0

# A client that stops sending still gets its reply, and then the connection ends.
o backup run one --json >out
python3 - "$data/socket" "$(get out 'r["uuid"]')" >talk <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
s.sendall(json.dumps({"id": 1, "request": "result.watch", "args": {"result": sys.argv[2]}}).encode() + b"\n")
s.shutdown(socket.SHUT_WR)
lines = s.makefile().read().splitlines()
print(json.loads(lines[-1])["type"], json.loads(lines[-1])["data"]["status"])
PY
ok "a client that stops sending gets its reply and an end" test "$(cat talk)" = "reply SUCCEEDED"

run backup create slow --provider nap --set seconds=60 --set slow=60
o backup run slow >/dev/null
begun=$(date +%s)
end_serve
status=$?
ok "SIGTERM exits 0" exits 0
took=$(($(date +%s) - begun))
ok "soon, with a hook in flight that takes a minute" test "$took" -lt 30
ok "the socket is gone" test ! -e "$data/socket"
run db check
ok "the database is sound" exits 0
run status --json
ok "then a command is the runtime again" json 'r["role"] == "command"'

# A dead holder's socket does not stand in the way.
start_serve
kill -KILL "$serve"
wait "$serve" 2>/dev/null
run backup ls
ok "after a kill -9" exits 0
ok "a left socket is replaced" test ! -S "$data/socket"

# A path that is longer than an address of a Unix socket.
data=$PWD/$(printf '%0120d' 0)/data
mkdir -p "$(dirname "$data")"
start_serve
run status --json
ok "long paths work" json "r['pid'] == $serve"
end_serve

data=/dev/null/nowhere
run backup ls
ok "a directory that cannot be is an error" test "$status" -ne 0
ok "and is named" complains /dev/null/nowhere
run serve
ok "for serve too" test "$status" -ne 0
data=$PWD/closed
mkdir "$data"
chmod 500 "$data"
if [ "$(id -u)" -ne 0 ]; then
  run backup ls
  ok "a directory that cannot be written is an error" test "$status" -eq 1
  ok "which names it" complains "$data"
fi

# Held, but nobody answers: 10 s, then exit 7.
data=$PWD/held
mkdir "$data"
(flock 9; exec sleep 200) 9>"$data/lock" &
holder=$!
until_ok sh -c "! flock -n '$data/lock' true"
begun=$(date +%s)
run backup ls
took=$(($(date +%s) - begun))
kill "$holder"
ok "a holder that does not answer exits 7" exits 7
ok "after 10 s" test "$took" -ge 9 -a "$took" -lt 30
