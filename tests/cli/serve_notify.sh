. "$1" # What the daemon tells a service manager: ready, how it is, that it lives, that it ends. And what SIGHUP means to it.

cat >hang.c <<'C'
/* A disk that does not come back: as long as the file $HANG exists, fdatasync and fsync wait. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void hang(void) { while (getenv("HANG") && access(getenv("HANG"), F_OK) == 0) usleep(20000); }
int fdatasync(int fd) { hang(); return (int)syscall(SYS_fdatasync, fd); }
int fsync(int fd) { hang(); return (int)syscall(SYS_fsync, fd); }
C
gcc -shared -fPIC -o hang.so hang.c || exit 1

# A tool and whoever started it: do they know the socket?
cat >"$providers/child.lua" <<'LUA'
local provider = Provider { apiVersion = 1, code = "child", name = "Child", version = "1.0.0", needs = { exec = { "sh" } } }
function provider.executeBackup(backup, backupResult)
  local seen = process.run { argv = { "sh", "-c", "env; tr '\\0' '\\n' </proc/$PPID/environ" } }
  local speaks = string.find(seen.stdout, "NOTIFY_SOCKET", 1, true) or string.find(seen.stdout, "WATCHDOG_USEC", 1, true)
  backupResult.status, backupResult.statusMessage = "SUCCEEDED", seen.code == 0 and (speaks and "speaks" or "quiet") or seen.stderr
end
return provider
LUA

cat >manager.py <<'PY'
# Plays systemd: listens at a socket, starts `orrery serve`, and says what it saw, a line per finding.
import os, select, signal, socket, subprocess, sys, time
orrery, data, providers = sys.argv[1:]

class Manager:
    def __init__(self, name, **environment):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name[0] == "@" else name)
        self.seen = []  # (time, lines)
        self.log = open("manager.log", "w+")
        environment = {key: value for key, value in dict(os.environ, NOTIFY_SOCKET=name, **environment).items() if value is not None}
        self.process = subprocess.Popen([orrery, "--data", data, "--providers", providers, "serve"], stderr=self.log, env=environment, start_new_session=True)

    def listen(self, seconds, until=None):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]: break
            lines = self.socket.recv(65536).decode().split("\n")
            self.seen.append((time.monotonic(), lines))
            if until and any(until(line) for line in lines): return True
        return False

    def pats(self, since=0): return [at for at, lines in self.seen if "WATCHDOG=1" in lines and at >= since]
    def order(self): return [line.split("=")[0] for _, lines in self.seen for line in lines]
    def end(self):
        self.process.terminate()
        ended = self.listen(20, lambda line: line == "STOPPING=1")
        return ended, self.process.wait(20)

def ask(*words):
    return subprocess.run([orrery, "--data", data, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

def say(what, holds, *more): print(("ok " if holds else "not ok ") + what, *([] if holds else more), flush=True)

hung = os.path.abspath("hung")
manager = Manager(os.path.abspath("notify"), WATCHDOG_USEC="1000000", HANG=hung, LD_PRELOAD=os.path.abspath("hang.so"),
                  ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
ready = manager.listen(20, lambda line: line == "READY=1")
say("READY=1 comes", ready, manager.seen)
say("when the socket is up", os.path.exists(data + "/socket") and ask("status").returncode == 0)
say("and no pat before it", manager.order().index("READY") < (manager.order() + ["WATCHDOG"]).index("WATCHDOG"), manager.order())
ask("backup", "create", "one", "--provider", "nap", "--set", "seconds=0")
told = manager.listen(20, lambda line: line == "STATUS=1 backup, 0 running, 0 need attention")
say("STATUS tells how many Backups there are", told, manager.seen)
since = time.monotonic()
manager.listen(3.2)
pats = manager.pats(since)
gaps = [b - a for a, b in zip(pats, pats[1:])]
say("the watchdog is patted twice in its time", 5 <= len(pats) <= 8 and max(gaps) < 0.9, pats)

# The disk hangs in the middle of a commit: the loop turns, the store does not.
open(hung, "w").close()
stuck = subprocess.Popen([orrery, "--data", data, "backup", "create", "two", "--provider", "nap", "--set", "seconds=0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
manager.listen(1.5)
since = time.monotonic()
manager.listen(2.5)
say("a store that hangs is not patted", manager.pats(since) == [], manager.pats(since))
info = subprocess.run([sys.executable, "-c", """
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])
s.sendall(b'{"id":1,"request":"runtime.info"}\\n'); print(json.loads(s.makefile().readline())["data"]["role"])""", data + "/socket"], stdout=subprocess.PIPE, text=True)
say("although the loop turns", info.stdout == "serve\n", info)
os.unlink(hung)
stuck.wait(20)
say("the write that hung is done then", ask("backup", "show", "two").returncode == 0)
say("once the disk is back, it is patted again", manager.listen(5, lambda line: line == "WATCHDOG=1"))

# The loop stands still.
manager.process.send_signal(signal.SIGSTOP)
manager.listen(1)
since = time.monotonic()
manager.listen(2)
say("a process that stands still does not pat", manager.pats(since) == [])
manager.process.send_signal(signal.SIGCONT)
say("and does when it goes on", manager.listen(5, lambda line: line == "WATCHDOG=1"))

# SIGHUP, without a terminal.
manager.process.send_signal(signal.SIGHUP)
manager.listen(1)
say("SIGHUP ends nothing", manager.process.poll() is None and ask("status").returncode == 0)
say("and says that there is nothing to reload", "SIGHUP: nothing to reload" in open("manager.log").read())
ask("backup", "create", "child", "--provider", "child")
child = ask("backup", "run", "child", "--wait", "--json").stdout
say("no child can speak for it", '"statusMessage":"quiet"' in child, child)
stopping, code = manager.end()
say("STOPPING=1 comes", stopping)
last = manager.seen[-1][1]
say("with the time that ending may take", any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in last), last)
say("it exits 0", code == 0, code)

# A command holds the directory: the manager is told, and made to wait.
holder = subprocess.Popen([orrery, "--data", data, "--providers", providers, "backup", "create", "slow", "--provider", "nap", "--set", "seconds=0", "--set", "slow=2"], stdout=subprocess.DEVNULL)
holder.wait()
holder = subprocess.Popen([orrery, "--data", data, "--providers", providers, "backup", "run", "slow"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not os.path.exists(data + "/socket"): time.sleep(0.02)
manager = Manager("@orrery-test-%d" % os.getpid())
waiting = manager.listen(10, lambda line: line.startswith("STATUS=waiting for a command (pid %d)" % holder.pid))
say("it says that it waits for a command", waiting, manager.seen)
say("READY=1 comes at an abstract socket, too", manager.listen(20, lambda line: line == "READY=1"))
say("before it the manager was asked to wait longer", "EXTEND_TIMEOUT_USEC" in manager.order()[:manager.order().index("READY")], manager.order())
manager.listen(1.2)
say("no watchdog, no pats", manager.pats() == [])
manager.end()
holder.wait(20)

manager = Manager(os.path.abspath("notify2"), WATCHDOG_USEC="400000", WATCHDOG_PID="1")
manager.listen(20, lambda line: line == "READY=1")
manager.listen(1)
say("a watchdog of another process is not ours", manager.pats() == [])
manager.end()
PY
python3 manager.py "$ORRERY" "$data" "$providers" 2>&1

# A socket that is none: one warning, and it serves.
for socket in /nonexistent/notify relative/path "@$(printf '%0200d' 0)"; do
  NOTIFY_SOCKET=$socket later serve --log-format logfmt 2>serve.log &
  serve=$!
  until_ok grep -q msg=ready serve.log
  run status
  ok "NOTIFY_SOCKET=$(printf %.20s "$socket"): it serves" exits 0
  end_serve
  ok "with one warning" test "$(grep -c level=warning serve.log)" -eq 1
  ok "that names it" grep -q "level=warning msg=.NOTIFY_SOCKET=" serve.log
done
