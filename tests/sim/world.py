"""A world: one simulated vendor with its clock, jobs, faults, sessions and journal. Tests that run side by side have one each.

What is asked of /_sim/... is answered here, everything else by the vendor module (vendors/*.py), which is called with the lock held. Faults are
taken in the order they were given; each matches a method and a pattern of the path, and works `times` times. The ledger is a file that
every request and every job is appended to, synced, so that it tells the truth whoever is killed.
"""
import json
import os
import re
import threading

from jobs import Clock, Job


class Reply:
    def __init__(self, status, body=None, headers=None):
        self.status = status
        self.body = body  # None: an empty body; str: as it is; else JSON
        self.headers = headers or {}


class Request:
    def __init__(self, method, path, query, headers, body):
        self.method = method
        self.path = path
        self.query = query  # name -> the last value
        self.headers = headers
        self.text = body
        self.word = None  # what the state of a job is called in this answer, whatever it is

    def json(self):
        try:
            value = json.loads(self.text or "null")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Fault:
    def __init__(self, spec):
        match = spec.get("match") or {}
        self.method = match.get("method")
        self.path = re.compile(match.get("path_re") or ".*")
        self.action = spec["action"]
        self.times = int(spec.get("times", 1))
        self.spec = spec

    def takes(self, request):
        if self.times <= 0 or (self.method and self.method != request.method) or not self.path.search(request.path):
            return False
        self.times -= 1
        return True


class World:
    def __init__(self, name, vendors, ledger):
        self.name = name
        self.vendors = vendors
        self.ledger = ledger
        self.lock = threading.RLock()
        self.clock = Clock()
        self.jobs = []
        self.faults = []
        self.journal = []
        self.plan = {}
        self.page_size = None
        self.no_next = False  # lists say that there is more, and not where
        self.freeze = None  # a phase in which new jobs stay
        self.sessions = {}  # token -> anything
        self.sessions_most = 0
        self.tokens = []  # of all sessions there have been
        self.vendor = None

    # ---- for vendors

    def start(self, about):
        job = Job(self.clock, len(self.jobs) + 1, self.plan, about)
        job.frozen = self.freeze
        self.jobs.append(job)
        self.note({"job": job.number, "about": about})
        return job

    def note(self, entry):
        """A line of the ledger, on the disk when this returns."""
        entry["world"] = self.name
        os.write(self.ledger, (json.dumps(entry) + "\n").encode())
        os.fsync(self.ledger)

    def page(self, rows, offset, limit):
        """The rows of a page, and the offset of the next one or None."""
        limit = self.page_size or limit
        more = offset + limit < len(rows)
        return rows[offset:offset + limit], offset + limit if more else None

    def open_session(self, token, about):
        self.sessions[token] = about
        self.tokens.append(token)
        self.sessions_most = max(self.sessions_most, len(self.sessions))

    # ---- the control plane

    def control(self, request):
        name = request.path[len("/_sim/"):]
        given = request.json()
        if request.method == "GET":
            views = {
                "journal": lambda: {"requests": self.journal},
                "live": lambda: {"jobs": [job.view() for job in self.jobs if job.is_live() and not job.gone]},
                "jobs": lambda: {"jobs": [job.view() for job in self.jobs]},
                "sessions": lambda: {"open": len(self.sessions), "most": self.sessions_most, "tokens": self.tokens},
                "objects": lambda: self.vendor.objects() if self.vendor else {},
            }
            return Reply(200, views[name]()) if name in views else Reply(404, {"error": "no such view"})
        if name == "clock":
            self.clock.advanced += float(given.get("advance_s", 0))
            self.clock.skew += float(given.get("skew_s", 0))
        elif name == "faults":
            self.add_fault(given)
        elif name == "seed":
            self.seed(given)
        elif name == "remove":
            self.vendor.remove(given["id"])
        else:
            return Reply(404, {"error": "no such control"})
        return Reply(200, {"now": self.clock.now()})

    def add_fault(self, spec):
        """Some change the world at once; the others wait for a request that they match."""
        action = spec["action"]
        if action == "clear":
            self.faults = []
        elif action == "stuck":
            self.freeze = spec.get("state", "running")
            for job in self.jobs:
                if job.is_live():
                    job.frozen = self.freeze
        elif action == "state_jump":
            self.freeze = None
            for job in self.jobs:
                if job.is_live():
                    job.jump(spec["state"])
        elif action == "vanish":
            for job in self.jobs:
                job.gone = True
        elif action == "session_expire":
            self.sessions = {}
        elif action == "clock_skew":
            self.clock.skew = float(spec["s"])
        elif action == "pages":
            self.page_size = int(spec["n"])
            self.no_next = bool(spec.get("no_next"))
        elif action == "eventual_visibility":
            self.faults.append(Fault({"match": spec.get("match"), "action": "status", "status": 404, "times": spec.get("n", 1)}))
        else:
            self.faults.append(Fault(spec))

    def seed(self, given):
        if "vendor" in given:
            self.vendor = self.vendors[given["vendor"]](self, given)
        self.plan.update(given.get("job") or {})

    # ---- a request of the vendor's API

    def answer(self, request):
        """(reply, the fault that is to be applied to its delivery or None). The fault may have kept it from being processed."""
        with self.lock:
            if request.path.startswith("/_sim/"):
                return self.control(request), None
            fault = next((f for f in self.faults if f.takes(request)), None)
            action = fault.action if fault else None
            if action == "status":
                headers = {}
                if "retry_after" in fault.spec:
                    headers["Retry-After"] = str(fault.spec["retry_after"])
                body = fault.spec.get("body") or (self.vendor.error(fault.spec["status"]) if self.vendor else {})
                reply = Reply(fault.spec["status"], body, headers)
            elif action in ("timeout_before_processing", "reset"):
                reply = Reply(0)
            else:
                if action == "unknown_state":
                    request.word = fault.spec["state"]
                reply = self.vendor.handle(request) if self.vendor else Reply(404, {"error": "this world was not seeded"})
            entry = {"seq": len(self.journal) + 1, "at": self.clock.now(), "method": request.method, "path": request.path, "query": request.query,
                     "status": reply.status, "fault": action, "body": request.text[:2000]}
            self.journal.append(entry)
            self.note(dict(entry))
            return reply, fault
