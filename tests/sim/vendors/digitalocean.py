"""DigitalOcean: Droplet actions, snapshots by name, pages of ?per_page=&page=. Seed: token, droplets: [number], lists_actions: false for an API
that has no list of a Droplet's actions."""
import re

from world import Reply

STATUS = {"queued": "in-progress", "running": "in-progress", "finishing": "in-progress", "success": "completed", "warning": "completed", "failed": "errored",
          "cancelled": "errored"}


class DigitalOcean:
    def __init__(self, world, seed):
        self.world = world
        self.token = seed.get("token", "token")
        self.droplets = [int(d) for d in seed.get("droplets", [3164444])]
        self.lists_actions = seed.get("lists_actions", True)
        self.loops = seed.get("loops", False)  # the last page leads to the first
        self.deleted = set()
        self.others = int(seed.get("other_snapshots", 0))  # of other people, which come first in the list

    def error(self, status):
        words = {401: "Unauthorized", 404: "not_found", 409: "conflict", 422: "unprocessable_entity", 429: "too_many_requests", 503: "service_unavailable"}
        return {"id": words.get(status, "server_error"), "message": "simulated %d" % status}

    def objects(self):
        return {"snapshots": [s["name"] for s in self.snapshots(None)]}

    def remove(self, number):
        self.deleted.add(int(number) - 6372000)

    def action(self, job, word=None):
        ended = job.end_time()
        view = {"id": 36804000 + job.number, "status": word or STATUS[job.phase()], "type": "snapshot", "started_at": self.world.clock.iso_whole(job.began),
                "completed_at": self.world.clock.iso_whole(ended) if ended else None, "resource_id": job.about["droplet"], "resource_type": "droplet"}
        if job.phase() == "failed" and job.plan.get("reason"):
            view["message"] = job.plan["reason"]
        return view

    def snapshots(self, droplet):
        rows = [{"id": 100 + n, "name": "other-%d" % n, "created_at": self.world.clock.iso_whole(0), "size_gigabytes": 1} for n in range(self.others)]
        for job in self.world.jobs:
            if job.phase() in ("success", "warning") and not job.gone and job.number not in self.deleted and droplet in (None, job.about["droplet"]):
                rows.append({"id": 6372000 + job.number, "name": job.about["name"], "created_at": self.world.clock.iso_whole(job.end_time()),
                             "size_gigabytes": 2.36, "min_disk_size": 20})
        return rows

    def listing(self, request, key, rows):
        page, per_page = int(request.query.get("page", 1)), int(request.query.get("per_page", 20))
        size = self.world.page_size or per_page
        part, following = self.world.page(rows, (page - 1) * size, per_page)
        links = {}
        if following is None and self.loops and page > 1:
            following, page = 0, 0
        if following is not None and not self.world.no_next:
            links = {"pages": {"next": "%s%s?page=%d&per_page=%d" % (request.base, request.path, page + 1, size)}}
        return Reply(200, {key: part, "links": links, "meta": {"total": len(rows)}})

    def start(self, request, droplet):
        body = request.json()
        if droplet not in self.droplets:
            return Reply(404, {"id": "not_found", "message": "The resource you were accessing could not be found."})
        if body.get("type") != "snapshot" or not isinstance(body.get("name"), str):
            return Reply(422, {"id": "unprocessable_entity", "message": "You specified an invalid action."})
        return Reply(201, {"action": self.action(self.world.start({"droplet": droplet, "name": body["name"]}))})

    def delete(self, number):
        job = next((j for j in self.world.jobs if j.number == number - 6372000), None)
        if not job or job.number in self.deleted or job.phase() not in ("success", "warning"):
            return Reply(404, {"id": "not_found", "message": "The resource you were accessing could not be found."})
        self.deleted.add(job.number)
        return Reply(204)

    def handle(self, request):
        if request.headers.get("Authorization") != "Bearer " + self.token:
            return Reply(401, {"id": "Unauthorized", "message": "Unable to authenticate you"})
        path, method = request.path, request.method
        if (method, path) == ("GET", "/v2/regions"):
            return Reply(200, {"regions": [{"slug": "fra1"}], "links": {}, "meta": {"total": 1}})
        found = re.fullmatch(r"/v2/droplets/(\d+)/(actions|snapshots)", path)
        if found:
            droplet, what = int(found.group(1)), found.group(2)
            if (method, what) == ("POST", "actions"):
                return self.start(request, droplet)
            if (method, what) == ("GET", "snapshots"):
                return self.listing(request, what, self.snapshots(droplet))
            if method == "GET" and self.lists_actions:
                return self.listing(request, what, [self.action(j) for j in self.world.jobs if j.about["droplet"] == droplet])
        found = re.fullmatch(r"/v2/actions/(\d+)", path)
        if found and method == "GET":
            job = next((j for j in self.world.jobs if j.number == int(found.group(1)) - 36804000 and not j.gone), None)
            return Reply(200, {"action": self.action(job, request.word)}) if job else Reply(404, self.error(404))
        found = re.fullmatch(r"/v2/snapshots/(\d+)", path)
        if found and method == "DELETE":
            return self.delete(int(found.group(1)))
        return Reply(404, {"id": "not_found", "message": "The resource you were accessing could not be found."})
