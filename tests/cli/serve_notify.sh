. "$1" # What the daemon tells a service manager: ready, how it is, that it lives, that it ends. And what SIGHUP means to it.

cat >hang.c <<'C'
/* A disk that does not come back: as long as the folder $HANG exists, fdatasync and fsync wait, and make $HANG/begun. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static void hang(void) {
  char begun[4096];
  if (!getenv("HANG")) return;
  snprintf(begun, sizeof begun, "%s/begun", getenv("HANG"));
  while (access(getenv("HANG"), F_OK) == 0) {
    int fd = open(begun, O_CREAT | O_WRONLY, 0600);
    if (fd >= 0) close(fd);
    usleep(20000);
  }
}
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

# One whose hook is in flight until a file is there.
cat >"$providers/held.lua" <<'LUA'
local provider = Provider { apiVersion = 1, code = "held", name = "Held", version = "1.0.0", optionTypes = { { fieldName = "file" } },
  needs = { read = { "${option.file}" } } }
function provider.executeBackup(backup, backupResult)
  while not fs.exists(backup:getConfigProperty("file")) do sleep(0.1) end
  backupResult.status = "SUCCEEDED"
end
return provider
LUA

cat >manager.py <<'PY'
# Plays systemd: listens at a socket, starts `orrery serve`, and says what it saw, a line per finding. What only ends a wait for something that
# never comes is long.
import os, select, signal, socket, subprocess, sys, time
orrery, data, providers = sys.argv[1:]
LIMIT, WATCHDOG = 60, 4

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
        ended = self.listen(LIMIT, lambda line: line == "STOPPING=1")
        return ended, self.process.wait(LIMIT)

def ask(*words):
    return subprocess.run([orrery, "--data", data, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

def until(holds):
    end = time.monotonic() + LIMIT
    while not holds() and time.monotonic() < end: time.sleep(0.02)
    return holds()

def say(what, holds, *more): print(("ok " if holds else "not ok ") + what, *([] if holds else more), flush=True)

hung = os.path.abspath("hung")
manager = Manager(os.path.abspath("notify"), WATCHDOG_USEC=str(WATCHDOG * 1000000), HANG=hung, LD_PRELOAD=os.path.abspath("hang.so"),
                  ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
ready = manager.listen(LIMIT, lambda line: line == "READY=1")
say("READY=1 comes", ready, manager.seen)
say("when the socket is up", os.path.exists(data + "/socket") and ask("status").returncode == 0)
say("and no pat before it", manager.order().index("READY") < (manager.order() + ["WATCHDOG"]).index("WATCHDOG"), manager.order())
ask("backup", "create", "one", "--provider", "nap", "--set", "seconds=0")
told = manager.listen(LIMIT, lambda line: line == "STATUS=1 backup, 0 running, 0 need attention")
say("STATUS tells how many Backups there are", told, manager.seen)
since = time.monotonic()
manager.listen(LIMIT, lambda line: len(manager.pats(since)) == 4)
pats = manager.pats(since)
gaps = [b - a for a, b in zip(pats, pats[1:])]
say("the watchdog is patted in its time", len(gaps) == 3 and max(gaps) < WATCHDOG, pats)
say("about twice", sum(gaps) > WATCHDOG, pats)

# The disk hangs in the middle of a commit: the loop turns, the store does not.
os.mkdir(hung)
stuck = subprocess.Popen([orrery, "--data", data, "backup", "create", "two", "--provider", "nap", "--set", "seconds=0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
say("a commit has begun", until(lambda: os.path.exists(hung + "/begun")))
manager.listen(0.5) # what was sent before
since = time.monotonic()
manager.listen(WATCHDOG + 1)
say("a store that hangs is not patted", manager.pats(since) == [], manager.pats(since))
info = subprocess.run([sys.executable, "-c", """
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(60); s.connect(sys.argv[1])
s.sendall(b'{"id":1,"request":"runtime.info"}\\n'); print(json.loads(s.makefile().readline())["data"]["role"])""", data + "/socket"], stdout=subprocess.PIPE, text=True)
say("although the loop turns", info.stdout == "serve\n", info)
os.rename(hung, hung + ".gone")
stuck.wait(LIMIT)
say("the write that hung is done then", ask("backup", "show", "two").returncode == 0)
say("once the disk is back, it is patted again", manager.listen(LIMIT, lambda line: line == "WATCHDOG=1"))

# The loop stands still.
manager.process.send_signal(signal.SIGSTOP)
manager.listen(0.5)
since = time.monotonic()
manager.listen(WATCHDOG + 1)
say("a process that stands still does not pat", manager.pats(since) == [])
manager.process.send_signal(signal.SIGCONT)
say("and does when it goes on", manager.listen(LIMIT, lambda line: line == "WATCHDOG=1"))

# SIGHUP, without a terminal.
manager.process.send_signal(signal.SIGHUP)
say("SIGHUP says that there is nothing to reload", until(lambda: "SIGHUP: nothing to reload" in open("manager.log").read()))
say("and ends nothing", manager.process.poll() is None and ask("status").returncode == 0)
ask("backup", "create", "child", "--provider", "child")
child = ask("backup", "run", "child", "--wait", "--json").stdout
say("no child can speak for it", '"statusMessage":"quiet"' in child, child)
stopping, code = manager.end()
say("STOPPING=1 comes", stopping)
last = manager.seen[-1][1]
say("with the time that ending may take", any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in last), last)
say("it exits 0", code == 0, code)

# A command holds the directory: the manager is told, and made to wait.
command = [orrery, "--data", data, "--providers", providers]
go = os.path.abspath("go")
subprocess.run([*command, "backup", "create", "held", "--provider", "held", "--set", "file=" + go], stdout=subprocess.DEVNULL, check=True)
holder = subprocess.Popen([*command, "backup", "run", "held"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
until(lambda: os.path.exists(data + "/socket"))
manager = Manager("@orrery-test-%d" % os.getpid())
waiting = manager.listen(LIMIT, lambda line: line.startswith("STATUS=waiting for a command (pid %d)" % holder.pid))
say("it says that it waits for a command", waiting, manager.seen)
open(go, "w").close()
say("READY=1 comes at an abstract socket, too", manager.listen(LIMIT, lambda line: line == "READY=1"))
say("before it the manager was asked to wait longer", "EXTEND_TIMEOUT_USEC" in manager.order()[:manager.order().index("READY")], manager.order())
manager.listen(1.2)
say("no watchdog, no pats", manager.pats() == [])
manager.end()
holder.wait(LIMIT)

manager = Manager(os.path.abspath("notify2"), WATCHDOG_USEC="400000", WATCHDOG_PID="1")
manager.listen(LIMIT, lambda line: line == "READY=1")
manager.listen(1)
say("a watchdog of another process is not ours", manager.pats() == [])
manager.end()
PY
python3 manager.py "$ORRERY" "$data" "$providers" 2>&1

# A socket that is none: one warning, and it serves.
for socket in /nonexistent/notify relative/path "@$(printf '%0200d' 0)"; do
  : >serve.log # the one before said ready too
  NOTIFY_SOCKET=$socket later serve --log-format logfmt 2>>serve.log &
  serve=$!
  until_ok grep -q msg=ready serve.log
  run status
  ok "NOTIFY_SOCKET=$(printf %.20s "$socket"): it serves" exits 0
  end_serve
  ok "with one warning" test "$(grep -c level=warning serve.log)" -eq 1
  ok "that names it" grep -q "level=warning msg=.NOTIFY_SOCKET=" serve.log
done
