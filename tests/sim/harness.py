"""What a scenario of the matrix has: a data directory of its own, a world of its own in the simulator, and the real program.

Waiting is polling with a generous limit: nothing here depends on how fast the machine is. What a scenario started ends with it.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request

TERMINAL = ("CANCELLED", "SUCCEEDED", "SUCCEEDED_WARNING", "FAILED")
LIMIT = 90  # seconds that a wait may take


class Failure(Exception):
    pass


def check(is_true, what, *shown):
    if not is_true:
        raise Failure(what + "".join("\n  # %s" % (json.dumps(s) if not isinstance(s, str) else s)[:1500] for s in shown))


def frozen(s, phase="running"):
    """From now on jobs stay in that phase."""
    s.fault("stuck", state=phase)


class Simulator:
    """The process, and the control plane of its worlds."""

    def __init__(self, folder, script):
        self.key, self.certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate, "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.process = subprocess.Popen(["python3", script, "--ledger", os.path.join(folder, "ledger"), "--tls", self.certificate, self.key],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.tls = int(self.process.stdout.readline().split()[1])
        text = subprocess.run(["openssl", "x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True)
        self.fingerprint = text.stdout.strip().split("=")[1]

    def end(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)

    def ask(self, world, view, body=None):
        request = urllib.request.Request("http://127.0.0.1:%d/w/%s/_sim/%s" % (self.port, world, view), method="GET" if body is None else "POST",
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=LIMIT) as reply:
            return json.load(reply)


class Scenario:
    """vendor: an entry of cases.py. tune: numbers of the provider's declaration, and seed: of the world, that differ here. damage: (file, text, other
    text), what is done wrong on purpose in the provider."""

    def __init__(self, tools, vendor, name, tune=None, seed=None, options=None, is_tls=False, limit=LIMIT, damage=None):
        self.tools, self.vendor, self.limit, self.damage = tools, vendor, limit, damage
        self.world = "%s-%s" % (vendor.name, name)
        self.folder = os.path.join(tools.folder, self.world)
        os.mkdir(self.folder)
        self.serving = None
        self.children = []
        self.tune = dict({"refreshInterval": "0.2", "visibilityDelay": "1"}, **(tune or {}))
        self.copy_provider()
        self.sim("seed", dict(vendor.seed, vendor=vendor.sim, **(seed or {})))
        scheme = "https" if is_tls else "http"
        self.url = "%s://127.0.0.1:%d/w/%s%s" % (scheme, tools.sim.tls if is_tls else tools.sim.port, self.world, vendor.base)
        trust = ["--set", "tlsFingerprint=" + tools.sim.fingerprint] if is_tls else []
        self.must("connection", "add", "vendor", "--provider", vendor.code, "--url", self.url, *vendor.credentials, *trust)
        pairs = [("--set", option) for option in (options if options is not None else vendor.options)]
        self.must("backup", "create", "work", "--provider", vendor.code, "--connection", "vendor", *[word for pair in pairs for word in pair])

    # ---- the provider

    def copy_provider(self, change=None):
        """The shipped provider with other numbers, put in place at once, as an editor does."""
        source = os.path.join(self.tools.providers, self.vendor.code)
        target = os.path.join(self.folder, "providers", self.vendor.code)
        os.makedirs(target, exist_ok=True)
        for name in sorted(os.listdir(source)):
            if not name.endswith(".lua") or name.endswith("_spec.lua"):
                continue
            with open(os.path.join(source, name)) as file:
                text = file.read()
            if name == "init.lua":
                for key, value in self.tune.items():
                    text, count = re.subn(r"\b%s = [^,]+," % key, "%s = %s," % (key, value), text, count=1)
                    check(count == 1, "the provider declares no " + key)
                text = change(text) if change else text
            if self.damage and self.damage[0] == name:
                check(self.damage[1] in text, "there is nothing to damage in " + name)
                text = text.replace(self.damage[1], self.damage[2])
            with open(os.path.join(target, "." + name + ".new"), "w") as file:
                file.write(text)
            os.rename(os.path.join(target, "." + name + ".new"), os.path.join(target, name))

    # ---- the program

    def argv(self, *args):
        return [self.tools.orrery, "--data", os.path.join(self.folder, "data"), "--providers", os.path.join(self.folder, "providers"), "--setting",
                "shipped_providers=false", *args]

    def o(self, *args):
        return subprocess.run(self.argv(*args), capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)

    def must(self, *args):
        done = self.o(*args)
        check(done.returncode == 0, "orrery %s ends with %d" % (" ".join(args), done.returncode), done.stderr, done.stdout)
        return done.stdout

    def json(self, *args):
        return json.loads(self.must(*args, "--json"))

    def serve(self):
        log = open(os.path.join(self.folder, "serve.log"), "a+")
        at = log.seek(0, os.SEEK_END)
        self.serving = subprocess.Popen(self.argv("serve", "--log-format", "logfmt", "--log-level", "debug"), stderr=log, stdout=log,
                                        stdin=subprocess.DEVNULL)

        def ready():
            check(self.serving.poll() is None, "serve has ended", self.log()[-2000:])
            return "msg=ready" in self.log()[at:]
        self.until(ready, "serve is ready")
        return self

    def log(self):
        with open(os.path.join(self.folder, "serve.log")) as file:
            return file.read()

    def stop(self, how=signal.SIGTERM):
        if self.serving and self.serving.poll() is None:
            self.serving.send_signal(how)
            self.serving.wait(LIMIT)
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        self.children = []

    def kill(self):
        self.stop(signal.SIGKILL)

    def run(self, *args):
        """Asks for an execution without waiting for what becomes of it."""
        self.children.append(self.background("backup", "run", "work", *args))

    def background(self, *args):
        return subprocess.Popen(self.argv(*args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def results(self):
        found = self.json("result", "ls")
        return found["results"] if isinstance(found, dict) else found

    def result(self):
        found = self.results()
        return self.detail(found[0]["uuid"]) if found else {}

    def detail(self, uuid):
        found = self.json("result", "show", uuid)
        return found.get("result", found)

    def events(self, name=None):
        found = self.json("events", "--limit", "1000")
        found = found["events"] if isinstance(found, dict) else found
        return [e for e in found if not name or name in (e.get("name") or e.get("event") or e.get("type") or "")]

    # ---- the world

    def sim(self, view, body=None):
        return self.tools.sim.ask(self.world, view, body)

    def fault(self, action, method=None, path=None, times=1, **more):
        match = {key: value for key, value in (("method", method), ("path_re", path)) if value}
        self.sim("faults", dict(more, match=match, action=action, times=times))

    def requests(self, method=None, path=None):
        return [r for r in self.sim("journal")["requests"] if (not method or r["method"] == method) and (not path or re.search(path, r["path"]))]

    def jobs(self):
        return self.sim("jobs")["jobs"]

    # ---- waiting

    def until(self, holds, what):
        end = time.monotonic() + self.limit
        while True:
            value = holds()
            if value:
                return value
            if time.monotonic() > end:
                raise Failure("waited in vain: " + what + "\n  # %s" % json.dumps(self.result() if self.serving else None)[:1500])
            time.sleep(0.05)

    def ended(self, status=None):
        found = self.until(lambda: (lambda r: r if r.get("status") in TERMINAL else None)(self.result()), "it ends" + (" " + status if status else ""))
        if status:
            check(found["status"] == status, "ends %s, not %s" % (found["status"], status), found)
        return found

    def attention(self, word):
        return self.until(lambda: (lambda r: r if r.get("attention") == word else None)(self.result()), "attention " + word)

    def started(self):
        return self.until(lambda: (lambda r: r if r.get("externalId") and r["status"] not in TERMINAL else None)(self.result()), "it is in progress")

    def clean(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
