"""Nutanix Prism, Central and Element: snapshots by tasks. Seed: username, password, vms: [uuid], cluster (Central: what proxyClusterUuid must be; Element
has none), refuses_deletion: a reason with which the task of a deletion fails, has_references: false for tasks that do not name what they made."""
import base64
import re
import uuid

from world import Reply

STATUS = {"queued": "QUEUED", "running": "RUNNING", "finishing": "RUNNING", "success": "SUCCEEDED", "warning": "SUCCEEDED", "failed": "FAILED", "cancelled": "ABORTED"}
class Nutanix:
    def __init__(self, world, seed):
        self.world = world
        login = "%s:%s" % (seed.get("username", "user"), seed.get("password", "password"))
        self.login = "Basic " + base64.b64encode(login.encode()).decode()
        self.vms = seed.get("vms", [])
        self.cluster = seed.get("cluster")
        self.refuses_deletion = seed.get("refuses_deletion")
        self.has_references = seed.get("has_references", True)
        self.deleted = set()
        self.deletions = {}  # task uuid -> [the snapshot, how often it was asked for, how it ended: (word, reason)]

    def error(self, status):
        return {"state": "ERROR", "code": status, "message_list": [{"message": "simulated %d" % status, "reason": "SIMULATED"}]}

    def no(self, status, text):
        return Reply(status, {"message": text})

    def work_off(self, deletion):
        if self.refuses_deletion:
            deletion[2] = "FAILED", self.refuses_deletion
        elif deletion[0] in self.deleted:
            deletion[2] = "FAILED", "snapshot %s does not exist" % deletion[0]
        else:
            self.deleted.add(deletion[0])
            deletion[2] = "SUCCEEDED", None

    def delete(self, name):
        """A deletion ends when its task is asked for the second time, or another one of the same snapshot comes, which then fails."""
        before = [d for d in self.deletions.values() if d[0] == name and not d[2]]
        task = str(uuid.uuid4())
        self.deletions[task] = [name, 0, None]
        for deletion in before:
            self.work_off(deletion)
        return Reply(201, {"task_uuid": task})

    def made(self):
        return [j for j in self.world.jobs if j.phase() in ("success", "warning") and j.about["snapshot"] not in self.deleted and not j.gone]

    def objects(self):
        return {"snapshots": [job.about["snapshot"] for job in self.made()]}

    def remove(self, name):
        self.deleted.add(name)

    def snapshot(self, job):
        return {"uuid": job.about["snapshot"], "snapshot_name": job.about["name"], "vm_uuid": job.about["vm"],
                "created_time": int((job.end_time() + self.world.clock.skew) * 1000000)}

    def task(self, name, word):
        """What both Prisms say of a task, or None: (status, percent, begin, end, snapshot, error)."""
        if name in self.deletions:
            deletion, now = self.deletions[name], self.world.clock.now()
            deletion[1] += 1
            if deletion[1] > 1 and not deletion[2]:
                self.work_off(deletion)
            if not deletion[2]:
                return "RUNNING", 50, now, None, None, None
            return deletion[2][0], 100, now, now, None, deletion[2][1]
        job = next((j for j in self.world.jobs if j.about["task"] == name and not j.gone), None)
        if not job:
            return None
        return (word or STATUS[job.phase()], job.progress(), job.began, job.end_time(), job.about["snapshot"] if self.has_references else None,
                job.plan.get("reason") if job.phase() == "failed" else None)

    def central(self, name, request):
        task = self.task(name, request.word)
        if not task:
            return Reply(404, self.error(404))
        status, percent, begin, end, snapshot, error = task
        view = {"status": status, "percentage_complete": percent, "start_time": self.world.clock.iso_whole(begin), "uuid": name,
                "entity_reference_list": [{"kind": "vm", "uuid": self.vms[0]}]}
        if end:
            view["completion_time"] = self.world.clock.iso_whole(end)
        if snapshot:
            view["entity_reference_list"].append({"kind": "snapshot", "uuid": snapshot})
        if error:
            view["error_detail"] = error
        return Reply(200, view)

    def element(self, name, request):
        task = self.task(name, request.word)
        if not task:
            return self.no(404, "no such task")
        status, percent, begin, end, snapshot, error = task
        view = {"uuid": name, "percentage_complete": percent, "progress_status": status.capitalize(), "start_time_usecs": int(begin * 1000000), "entity_list": []}
        if end:
            view["complete_time_usecs"] = int(end * 1000000)
        if snapshot:
            view["entity_list"] = [{"entity_type": "Snapshot", "entity_id": snapshot}]
        if error:
            view["meta_response"] = {"error_code": 1, "error_detail": error}
        return Reply(200, view)

    def start(self, request):
        specs = request.json().get("snapshot_specs")
        spec = specs[0] if isinstance(specs, list) and len(specs) == 1 and isinstance(specs[0], dict) else {}
        if spec.get("vm_uuid") not in self.vms:
            return self.no(404, "VM %s does not exist" % spec.get("vm_uuid"))
        if not isinstance(spec.get("snapshot_name"), str):
            return self.no(422, "snapshot_name is missing")
        about = {"vm": spec["vm_uuid"], "name": spec["snapshot_name"], "task": str(uuid.uuid4()), "snapshot": str(uuid.uuid4())}
        self.world.start(about)
        return Reply(201, {"task_uuid": about["task"]})

    def one(self, request, name):
        job = next((j for j in self.made() if j.about["snapshot"] == name), None)
        if not job:
            return self.no(404, "snapshot %s does not exist" % name)
        if request.method == "GET":
            return Reply(200, self.snapshot(job))
        return self.delete(name)

    def handle(self, request):
        if request.headers.get("Authorization") != self.login:
            return Reply(401, self.error(401))
        path, method = request.path, request.method
        found = re.fullmatch(r"/api/nutanix/(v3|v2\.0)/tasks/([^/]+)", path)
        if found and method == "GET" and (found.group(1) == "v3") == bool(self.cluster):
            return (self.central if self.cluster else self.element)(found.group(2), request)
        found = re.fullmatch(r"/api/nutanix/v2\.0/snapshots(?:/([^/]+))?", path)
        if not found:
            return self.no(404, "no such resource")
        if self.cluster and request.query.get("proxyClusterUuid", self.cluster if method == "GET" and not found.group(1) else None) != self.cluster:
            return self.no(400, "proxyClusterUuid is not the cluster")
        if found.group(1) and method in ("GET", "DELETE"):
            return self.one(request, found.group(1))
        if method == "POST":
            return self.start(request)
        return Reply(200, {"metadata": {"grand_total_entities": len(self.made())}, "entities": [self.snapshot(job) for job in self.made()]})
