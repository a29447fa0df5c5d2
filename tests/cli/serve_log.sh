. "$1" # The daemon's log: its forms, what its lines say, and readers that are slow, full or gone.

cat >"$providers/chatty.lua" <<'LUA'
local provider = Provider {
  apiVersion = 1, code = "chatty", name = "Chatty", version = "1.0.0",
  optionTypes = {
    { fieldName = "lines", inputType = "number", required = true }, { fieldName = "rounds", inputType = "number" }, { fieldName = "pin", inputType = "password" },
  },
  refreshInterval = 0.1,
}

local function talk(backup)
  for i = 1, backup:getConfigProperty("lines") do log.info("line %d of many, and long enough to fill a pipe soon " .. string.rep(".", 400), i) end
end

function provider.executeBackup(backup, backupResult)
  talk(backup)
  log.warning("two\nlines \27[31m \255 \"quoted\" " .. (backup:getConfigProperty("pin") or ""))
  backupResult.status = backup:getConfigProperty("rounds") and "IN_PROGRESS" or "SUCCEEDED"
end

function provider.refreshBackupResult(backupResult)
  talk(backupResult.backup)
  backupResult.progress = (backupResult.progress or 0) + 1
  if backupResult.progress >= backupResult.backup:getConfigProperty("rounds") then backupResult.status = "SUCCEEDED" end
end

return provider
LUA

# start ARGS...: serve with its log in serve.log; ready when its socket is there.
start() {
  later serve "$@" 2>serve.log &
  serve=$!
  until_ok test -S "$data/socket"
}
# Python over `lines`, the log's JSON.
lines() { python3 -c 'import json, sys
lines = [json.loads(line) for line in open("serve.log", "rb").read().decode("utf-8").splitlines()]
sys.exit(0 if eval(sys.argv[1]) else 1)' "$1"; }

start
o backup create talk --provider chatty --set lines=2 --set pin=Geheim-4711 >/dev/null
o backup run talk --wait >/dev/null
end_serve
ok "into a file it is JSON, a line each" lines 'all({"time", "level", "msg"} <= set(line) for line in lines)'
ok "from ready to ended" lines 'lines[0]["msg"] == "ready" and lines[0]["pid"] > 0 and lines[-1]["msg"] == "ended" and lines[-1]["ms"] >= 0'
ok "the end of a result is a line with its keys" lines 'any(line.get("event") == "result.ended" and line["backup"] == "talk" and line["result"] == 1 and line["provider"] == "chatty" and line["ms"] >= 0 for line in lines)'
ok "the line of a hook says whose it is" lines 'any(line["msg"].startswith("line 1 of many") and line["hook"] == "executeBackup" and line["backup"] == "talk" and line["result"] == 1 for line in lines)'
ok "line ends, escapes and bytes stay within their line" lines 'any("two\nlines \x1b[31m" in line["msg"] and line["level"] == "warning" for line in lines)'
ok "no secret is in it" sh -c '! grep -q Geheim serve.log'
start --log-level warning
o backup run talk --wait >/dev/null
end_serve
ok "--log-level warning leaves out the rest" lines 'len(lines) > 0 and all(line["level"] in ("warning", "error") for line in lines)'
start --log-format logfmt
end_serve
ok "--log-format logfmt" grep -qE '^time=[^ ]+Z level=info msg=ready version=' serve.log
run serve --log-format xml
ok "an unknown format is refused" exits 2
run serve --log-level loud
ok "an unknown level, too" exits 2
# on_terminal: serve, until it has said that it is ready, in typescript
on_terminal() {
  rm -f typescript pid
  script -qfec "echo \$\$ >pid; exec '$ORRERY' --data '$data' serve" typescript >/dev/null &
  until_ok grep -q ready typescript
  kill -TERM "$(cat pid)"
  wait $!
}
on_terminal
ok "on a terminal: short times and colours" grep -qE "[0-9]{2}:[0-9]{2}:[0-9]{2}.*level=.*info.*ready" typescript
NO_COLOR=1 on_terminal
ok "no colours with NO_COLOR" sh -c "grep -q 'level=info msg=ready' typescript"

# A reader that takes nothing: the daemon goes on, counts what it drops, and says so once it is read again.
o backup create flood --provider chatty --set lines=1000 --set rounds=20 >/dev/null
mkfifo pipe
sleep 400 <pipe & # holds it open, and reads nothing
holder=$!
later serve 2>pipe &
serve=$!
until_ok test -S "$data/socket"
begun=$(date +%s)
run backup run flood --wait
ok "a flood that nobody reads does not stand in the way" exits 0
ok "nor for long" test $(($(date +%s) - begun)) -lt 120
run status
ok "requests are answered meanwhile" exits 0
cat pipe >drained &
reader=$!
kill "$holder"
until_ok grep -q "were dropped" drained
ok "what was dropped is counted" grep -q '"msg":"lines of the log were dropped: more came than could be written","count":[1-9]' drained
ok "and no more is kept for a reader than is said" test "$(stat -c %s drained)" -lt 1400000
end_serve
status=$?
ok "and it ends well" exits 0
wait "$reader"
ok "what came through is whole" python3 -c 'import json; [json.loads(line) for line in open("drained", "rb")]'

# A reader that goes.
later serve 2>pipe &
serve=$!
head -n 1 pipe >first
until_ok test -S "$data/socket"
o backup run talk --wait >/dev/null
run backup run talk --wait
ok "a reader that has gone ends the log, not the daemon" exits 0
ok "it is still the same daemon" kill -0 "$serve"
end_serve

# The journal: its own protocol where standard error is its stream, lines with <N> where its socket is closed.
python3 - "$ORRERY" "$data" "$providers" >journal 2>&1 <<'PY'
import os, signal, socket, subprocess, sys, time
orrery, data, providers = sys.argv[1:]
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("journal.socket")
journal.settimeout(60)

def serve(stream, *options, **environment):
    stat = os.fstat(stream.fileno())
    environment = dict(os.environ, JOURNAL_STREAM=f"{stat.st_dev}:{stat.st_ino}", **environment)
    return subprocess.Popen([orrery, "--data", data, "--providers", providers, "serve", *options], stderr=stream, env=environment)

def fields(datagram):
    lines = datagram.decode("utf-8").splitlines()
    assert all("=" in line for line in lines), lines
    return dict(line.split("=", 1) for line in lines)

def receive(until):
    while True:
        got = fields(journal.recv(1 << 20))
        if until(got): return got

ours, theirs = socket.socketpair()
process = serve(theirs, ORRERY_JOURNAL_SOCKET=os.path.abspath("journal.socket"))
ready = receive(lambda got: got["MESSAGE"].startswith("ready"))
print("ready", ready["PRIORITY"], ready["SYSLOG_IDENTIFIER"], ready["ORRERY_DATA"] == data)
subprocess.run([orrery, "--data", data, "backup", "run", "talk", "--wait"], stdout=subprocess.DEVNULL, check=True)
ended = receive(lambda got: got.get("ORRERY_EVENT") == "result.ended")
print("ended", ended["PRIORITY"], ended["ORRERY_BACKUP"], ended["ORRERY_PROVIDER"], int(ended["ORRERY_RESULT"]) > 0, int(ended["ORRERY_MS"]) >= 0)
# A journal that was started anew.
journal.close()
os.unlink("journal.socket")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("journal.socket")
journal.settimeout(60)
process.terminate()
receive(lambda got: got["MESSAGE"].startswith("ended"))
print("again", process.wait())
theirs.close()
print("stream", ours.recv(100))

ours, theirs = socket.socketpair()
process = serve(theirs, ORRERY_JOURNAL_SOCKET="/nonexistent/socket")
first = ours.recv(4096).decode().splitlines()[0]
print("prefixed", first.startswith("<6>ready version="))
process.terminate()
process.wait()

# Redirected since: the stream is not the journal's.
with open("redirected", "w") as file:
    process = subprocess.Popen([orrery, "--data", data, "serve"], stderr=file, env=dict(os.environ, JOURNAL_STREAM="1:2", ORRERY_JOURNAL_SOCKET="journal.socket"))
    while not os.path.getsize("redirected"): time.sleep(0.02)
    process.terminate()
    process.wait()
print("redirected", open("redirected").read().startswith('{"time"'))
PY
journal() { ok "$1" grep -qx "$2" journal; }
out=$(cat journal)
journal "under systemd it speaks to the journal" "ready 6 orrery True"
journal "with fields to ask by" "ended 6 talk chatty True True"
journal "a journal that was started anew is found again" "again 0"
journal "nothing goes to the stream then" "stream b''"
journal "lines with a priority where the journal's socket is closed" "prefixed True"
journal "JSON where standard error was redirected" "redirected True"
run serve --log-format journald
ok "journald where there is none is an error" test "$status" -ne 0 -o -S /run/systemd/journal/socket
