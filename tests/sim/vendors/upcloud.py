"""UpCloud: servers with disks, a backup of each disk as a storage of its own. Seed: username, password, servers: {uuid: [disk uuid, ...]},
lists: false for an API without lists of storages, which have pages of ?offset=&limit=. A backup's job is `maintenance` until it is `online`."""
import base64
import re
import uuid

from world import Reply

STATE = {"queued": "maintenance", "running": "maintenance", "finishing": "maintenance", "success": "online", "warning": "online", "failed": "error", "cancelled": "error"}


class UpCloud:
    def __init__(self, world, seed):
        self.world = world
        login = "%s:%s" % (seed.get("username", "user"), seed.get("password", "password"))
        self.login = "Basic " + base64.b64encode(login.encode()).decode()
        self.servers = seed.get("servers", {})
        self.lists = seed.get("lists", True)
        self.deleted = set()

    def error(self, status):
        words = {401: "AUTHENTICATION_FAILED", 404: "STORAGE_NOT_FOUND", 409: "STORAGE_STATE_ILLEGAL", 429: "RATE_LIMITED", 503: "SERVICE_UNAVAILABLE"}
        return {"error": {"error_code": words.get(status, "INTERNAL_ERROR"), "error_message": "simulated %d" % status}}

    def no(self, status, word, text):
        return Reply(status, {"error": {"error_code": word, "error_message": text}})

    def backups(self):
        return [job for job in self.world.jobs if not job.gone and job.about["uuid"] not in self.deleted]

    def objects(self):
        return {"backups": [job.about["uuid"] for job in self.backups()]}

    def remove(self, number):
        self.deleted.add(number)

    def backup(self, job, word=None):
        return {"access": "private", "uuid": job.about["uuid"], "origin": job.about["disk"], "size": 25, "state": word or STATE[job.phase()], "type": "backup",
                "title": job.about["title"]}

    def source(self, disk):
        is_busy = any(job.is_live() and job.about["disk"] == disk for job in self.backups())
        return {"access": "private", "uuid": disk, "size": 25, "state": "backuping" if is_busy else "online", "type": "normal", "title": "disk"}

    def disks(self):
        return [disk for disks in self.servers.values() for disk in disks]

    def storage(self, request, name):
        if name in self.disks():
            return Reply(200, {"storage": self.source(name)})
        job = next((j for j in self.backups() if j.about["uuid"] == name), None)
        if not job:
            return self.no(404, "STORAGE_NOT_FOUND", "The storage %s does not exist." % name)
        if request.method == "GET":
            return Reply(200, {"storage": self.backup(job, request.word)})
        if job.is_live():
            return self.no(409, "STORAGE_STATE_ILLEGAL", "The storage must be in state online.")
        self.deleted.add(name)
        return Reply(204)

    def start(self, request, disk):
        title = (request.json().get("storage") or {}).get("title")
        if disk not in self.disks():
            return self.no(404, "STORAGE_NOT_FOUND", "The storage %s does not exist." % disk)
        if not isinstance(title, str):
            return self.no(400, "TITLE_MISSING", "The attribute title is missing.")
        if self.source(disk)["state"] != "online":
            return self.no(409, "STORAGE_STATE_ILLEGAL", "The storage must be in state online.")
        return Reply(201, {"storage": self.backup(self.world.start({"disk": disk, "title": title, "uuid": str(uuid.uuid4())}))})

    def handle(self, request):
        if request.headers.get("Authorization") != self.login:
            return self.no(401, "AUTHENTICATION_FAILED", "Authentication failed using the given username and password.")
        path, method = request.path, request.method
        found = re.fullmatch(r"/1\.3/server/([^/]+)", path)
        if found and method == "GET":
            if found.group(1) not in self.servers:
                return self.no(404, "SERVER_NOT_FOUND", "The server %s does not exist." % found.group(1))
            devices = [{"address": "virtio:%d" % n, "storage": disk, "storage_size": 25, "storage_title": "disk", "type": "disk"}
                       for n, disk in enumerate(self.servers[found.group(1)])]
            return Reply(200, {"server": {"uuid": found.group(1), "state": "started", "storage_devices": {
                "storage_device": devices + [{"address": "ide:0", "storage": str(uuid.uuid4()), "type": "cdrom"}]}, "ip_addresses": {"ip_address": []}}})
        if path in ("/1.3/storage", "/1.3/storage/backup") and method == "GET" and self.lists:
            rows = [self.backup(job) for job in self.backups()]
            part, _ = self.world.page(rows, int(request.query.get("offset", 0)), int(request.query.get("limit", 1000)))
            return Reply(200, {"storages": {"storage": part}})
        found = re.fullmatch(r"/1\.3/storage/([^/]+)/backup", path)
        if found and method == "POST":
            return self.start(request, found.group(1))
        found = re.fullmatch(r"/1\.3/storage/([^/]+)", path)
        if found and method in ("GET", "DELETE"):
            return self.storage(request, found.group(1))
        if (method, path) == ("GET", "/1.3/account"):
            return Reply(200, {"account": {"username": "user"}})
        return self.no(404, "NOT_FOUND", "No such resource.")
