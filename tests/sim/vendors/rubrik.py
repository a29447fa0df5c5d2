"""Rubrik CDM v1: VMs, SLA domains, on-demand snapshots by requests, events, sessions. Seed: username, password, token (an API token),
vms: {moid: id}, hidden_until_refresh: true for a VM that appears only some looks after its vCenter was refreshed, cancels: false for an older CDM,
has_events: false, has_links: false for requests that do not link to what they made, other_snapshots: on-demand ones of other people,
has_company: true for somebody else's request beside each of ours, which is done at once."""
import base64
import json
import re
import uuid

from world import Reply

STATUS = {"queued": "QUEUED", "running": "RUNNING", "finishing": "FINISHING", "success": "SUCCEEDED", "warning": "SUCCEEDED", "failed": "FAILED", "cancelled": "CANCELED"}


class Rubrik:
    def __init__(self, world, seed):
        self.world = world
        login = "%s:%s" % (seed.get("username", "user"), seed.get("password", "password"))
        self.login = "Basic " + base64.b64encode(login.encode()).decode()
        self.token = seed.get("token")
        self.vms = dict(seed.get("vms", {}))
        self.hidden = 2 if seed.get("hidden_until_refresh", False) else 0  # looks after the refresh that are in vain
        self.is_refreshed = False
        self.has_company = seed.get("has_company", False)
        self.cancels = seed.get("cancels", True)
        self.has_events = seed.get("has_events", True)
        self.has_links = seed.get("has_links", True)
        self.others = int(seed.get("other_snapshots", 0))
        self.slas = {"sla-gold": "Gold", "sla-silver": "Silver", "sla-bronze": "Bronze"}
        self.assigned = {vm: "INHERIT" for vm in self.vms.values()}
        self.deleted = set()
        self.cancelling = set()  # numbers of jobs whose next answer is CANCEL REQUESTED

    def error(self, status):
        return {"errorType": "user_error", "message": json.dumps({"message": "simulated %d" % status, "cause": {"reason": "none"}})}

    def no(self, status, text):
        return Reply(status, {"errorType": "user_error", "message": text})

    def made(self):
        return [j for j in self.world.jobs if j.phase() in ("success", "warning") and j.about["snapshot"] not in self.deleted and not j.gone]

    def objects(self):
        return {"snapshots": [job.about["snapshot"] for job in self.made()], "assigned": self.assigned}

    def remove(self, name):
        self.deleted.add(name)

    def listing(self, request, rows):
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 50))
        part, following = self.world.page(rows, offset, limit)
        view = {"hasMore": following is not None, "total": len(rows), "data": part}
        if following is not None and not self.world.no_next:
            query = "&".join(["%s=%s" % (k, v) for k, v in request.query.items() if k not in ("offset", "limit")] + ["offset=%d" % following, "limit=%d" % len(part)])
            view["links"] = {"next": {"href": "https://rubrik.invalid%s?%s" % (request.path, query)}}
        return Reply(200, view)

    def request_of(self, job, request, word=None):
        about, end = job.about, job.end_time()
        status = word or ("CANCEL REQUESTED" if job.number in self.cancelling else STATUS[job.phase()])
        self.cancelling.discard(job.number)
        view = {"id": about["request"], "status": status, "startTime": self.world.clock.iso(job.began),
                "links": [{"rel": "self", "href": "%s/api/v1/vmware/vm/request/%s" % (request.base, about["request"])}]}
        if job.phase() == "running":
            view["progress"] = job.progress()
        if end:
            view["endTime"] = self.world.clock.iso(end)
        if job.phase() == "failed":
            view["error"] = {"message": json.dumps({"message": "The snapshot failed", "cause": {"reason": job.plan.get("reason", "unknown")}})}
        if job.phase() in ("success", "warning") and self.has_links and job.phase() != "warning":
            view["links"].append({"rel": "result", "href": "%s/api/v1/vmware/vm/snapshot/%s" % (request.base, about["snapshot"])})
        return view

    # ---- sessions

    def session(self, request):
        found = re.fullmatch(r"/api/v1/session(?:/([^/]+))?", request.path)
        if request.method == "POST" and not found.group(1):
            if request.headers.get("Authorization") != self.login:
                return self.no(401, "Incorrect Username/Password")
            token = str(uuid.uuid4())
            self.world.open_session(token, "session-" + token)
            return Reply(200, {"id": "session-" + token, "token": token, "sessionId": "session-" + token, "organizationId": "Organization:::global"})
        if request.method == "DELETE" and found.group(1):
            if not self.is_let_in(request):
                return self.no(401, "Invalid token")
            self.world.sessions = {t: s for t, s in self.world.sessions.items() if s != found.group(1)}
            return Reply(204)
        return self.no(404, "no such resource")

    def is_let_in(self, request):
        kind, _, token = (request.headers.get("Authorization") or "").partition(" ")
        return kind == "Bearer" and (token in self.world.sessions or (self.token is not None and token == self.token))

    # ---- VMs

    def vm(self, vm):
        moid = next(m for m, i in self.vms.items() if i == vm)
        return {"id": vm, "moid": moid, "name": "vm " + moid, "hostId": "VmwareHost:::1", "configuredSlaDomainId": self.assigned[vm]}

    def of_vm(self, request, vm, what):
        if vm not in self.vms.values():
            return self.no(404, "no VM " + vm)
        if what is None and request.method == "GET":
            return Reply(200, self.vm(vm))
        if what is None and request.method == "PATCH":
            sla = request.json().get("configuredSlaDomainId")
            if sla not in self.slas and sla not in ("INHERIT", "UNPROTECTED"):
                return self.no(422, "no SLA domain %s" % sla)
            self.assigned[vm] = sla
            return Reply(200, self.vm(vm))
        if what == "snapshot" and request.method == "POST":
            def about():
                return {"vm": vm, "request": "CREATE_VMWARE_SNAPSHOT_%s:::0" % uuid.uuid4(), "snapshot": str(uuid.uuid4())}
            if self.has_company:
                self.world.start(about()).jump("success")
            return Reply(202, self.request_of(self.world.start(about()), request))
        if what == "snapshot" and request.method == "GET":
            old = [{"id": "other-%d" % n, "date": self.world.clock.iso(1e9), "isOnDemandSnapshot": True, "vmName": "other"} for n in range(self.others)]
            rows = [{"id": j.about["snapshot"], "date": self.world.clock.iso(j.end_time()), "isOnDemandSnapshot": True, "vmName": "vm"} for j in self.made()]
            return self.listing(request, old + [{"id": "sla-1", "date": self.world.clock.iso(), "isOnDemandSnapshot": False, "vmName": "vm"}] + rows)
        return self.no(404, "no such resource")

    def of_request(self, request, name):
        job = next((j for j in self.world.jobs if j.about["request"] == name and not j.gone), None)
        if not job:
            return self.no(404, "no request " + name)
        if request.method == "GET":
            return Reply(200, self.request_of(job, request, request.word))
        if request.method == "DELETE" and self.cancels:
            if job.cancel():
                self.cancelling.add(job.number)
            return Reply(204)
        return self.no(405, "method not allowed")

    def of_snapshot(self, request, name):
        if request.method != "DELETE" or request.query.get("location") != "all":
            return self.no(400, "location must be all")
        if name not in [j.about["snapshot"] for j in self.made()]:
            return self.no(404, "no snapshot " + name)
        self.deleted.add(name)
        return Reply(204)

    def handle(self, request):
        path, method = request.path, request.method
        if path.startswith("/api/v1/session"):
            return self.session(request)
        if not self.is_let_in(request):
            return self.no(401, "Invalid token")
        found = re.fullmatch(r"/api/v1/vmware/vm/request/([^/]+)", path)
        if found:
            return self.of_request(request, found.group(1))
        found = re.fullmatch(r"/api/v1/vmware/vm/snapshot/([^/]+)", path)
        if found:
            return self.of_snapshot(request, found.group(1))
        found = re.fullmatch(r"/api/v1/vmware/vm/([^/]+)(?:/(snapshot))?", path)
        if found:
            return self.of_vm(request, found.group(1), found.group(2))
        if method == "POST" and re.fullmatch(r"/api/v1/vmware/vcenter/[^/]+/refresh", path):
            self.is_refreshed = True
            return Reply(202, {"id": "REFRESH:::0", "status": "QUEUED"})
        if method != "GET":
            return self.no(404, "no such resource")
        if path == "/api/v1/event/latest" and self.has_events:
            rows = [{"latestEvent": {"objectId": j.about["vm"], "eventType": "Backup", "jobInstanceId": j.about["request"], "time": self.world.clock.iso(j.began)}}
                    for j in self.world.jobs if not j.gone and j.about["vm"] == request.query.get("object_ids")]
            return self.listing(request, rows)
        if path == "/api/v1/vmware/vm" and self.is_refreshed and self.hidden:
            self.hidden -= 1
        lists = {"/api/v1/host": lambda: [{"id": "Host:::1"}], "/api/v1/sla_domain": lambda: [{"id": i, "name": n} for i, n in self.slas.items()],
                 "/api/v1/vmware/vcenter": lambda: [{"id": "vCenter:::1"}],
                 "/api/v1/vmware/vm": lambda: [] if self.hidden else [self.vm(i) for m, i in self.vms.items() if request.query.get("moid", m) == m]}
        return self.listing(request, lists[path]()) if path in lists else self.no(404, "no such resource")
