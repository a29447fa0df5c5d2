"""What differs between the vendors in the matrix, one class each: how a scenario is set up, where its requests go, and what is honest there."""
from harness import check, frozen


class Case:
    name = property(lambda self: self.code)
    parts = 1  # external jobs of one execution
    has_public = False  # it also has a public address, so a connection can name another place in two ways
    has_name = True  # what is started carries the uuid
    has_size = True
    company = garbled_login = None
    cancels = False
    cancel_is_asked = False  # although it cannot: the vendor is asked, and says no
    overdue_status = "FAILED"
    unauthorized_setup = {}
    lost_setup = {}
    options = []
    secret, secrets = "password", []  # the option that is changed, and texts that nobody may see

    def expire(self, s):
        s.fault("status", "GET", self.poll, status=401)

    def check_sessions(self, s, logins):
        pass  # there is no login

    def overdue(self, s, result):
        """Nobody can cancel there: FAILED, with the reason, and listed as an orphan."""
        check("by its deadline" in result["errorMessage"], "it says why", result)
        check([e for e in s.events() if e["kind"] == "result.orphan"], "the job that may still run is told", s.events())

    def nothing_left(self, s):
        pass


class DigitalOcean(Case):
    code = sim = "digitalocean"
    has_public = True
    base = ""
    seed = {"token": "dop_v1_secret"}
    credentials = ["--set", "serviceToken=dop_v1_secret"]
    options = ["dropletId=3164444"]
    secret, secrets = "serviceToken", ["dop_v1_secret"]
    start = r"/droplets/\d+/actions$"
    poll = r"/v2/actions/"
    delete = r"/v2/snapshots/"
    failure_text = "no space left on the datastore"
    refusal = "DigitalOcean cannot cancel"
    no = ({"id": "unprocessable_entity", "message": "Droplet already has a pending event."}, "Droplet already has a pending event.")
    retained = (403, {"id": "forbidden", "message": "the snapshot is in use"}, "the snapshot is in use")

    def warning(self, s):
        """An action ends completed or errored: there is no third end, and an invented one is an unknown word."""
        s.fault("stuck", state="running")
        s.run()
        s.started()
        s.fault("unknown_state", "GET", self.poll, 1, state="completed-with-warnings")
        s.until(lambda: [e for e in s.events() if "completed-with-warnings" in e["message"]], "the word is told")
        check(s.result()["status"] == "IN_PROGRESS", "the status stays", s.result())

    def never_arrived(self, s):
        """The list of the Droplet's actions says that nothing runs, so it is started anew: once."""
        s.ended("SUCCEEDED")
        check(len(s.jobs()) == 1, "once", s.jobs())

    def nothing_left(self, s):
        check(s.sim("objects")["snapshots"] == [], "no snapshot is left", s.sim("objects"))

    def paging(self, scenario):
        s = scenario("pages", seed={"other_snapshots": 2}).serve()
        s.fault("pages", n=1)
        s.run()
        s.ended("SUCCEEDED")
        check(sorted({r["query"].get("page") for r in s.requests("GET", "/snapshots$")}) == ["1", "2", "3"], "three pages were read", s.requests("GET", "/snapshots$"))
        s = scenario("pages-loop", seed={"other_snapshots": 2, "loops": True}).serve()
        s.fault("pages", n=1)
        s.run()
        s.until(lambda: "does not end" in (s.result().get("statusMessage") or ""), "a list that leads back to its beginning is an error")
        check(len(s.requests("GET", "/snapshots$")) < 40, "not a loop")
        s = scenario("pages-cut", seed={"other_snapshots": 2}).serve()
        s.fault("pages", n=1, no_next=True)
        s.fault("timeout_after_processing", "POST", self.start, hold_s=0.1)
        s.run()
        s.until(lambda: "lists 1 of 3 snapshots" in (s.result().get("statusMessage") or ""), "a list that ends too early tells nothing")
        check(len(s.jobs()) == 1, "so nothing is started a second time", s.jobs())


SERVER = "00798b85-efdc-41ca-8021-f6ef457b8531"
DISKS = ["01f3286c-a5ea-4670-8121-d0b9767d625b", "01c8df16-d1c6-4223-9bfc-d3c06b208c88"]


class UpCloud(Case):
    code = sim = "upcloud"
    has_public = True
    base = "/1.3/"
    seed = {"username": "api", "password": "secret pass", "servers": {SERVER: DISKS}}
    credentials = ["--username", "api", "--set", "password=secret pass"]
    options = ["serverUuid=" + SERVER]
    secrets = ["secret pass", "YXBpOnNlY3JldCBwYXNz"]
    parts = 2
    start = r"/storage/[^/]+/backup$"
    poll = r"/1.3/storage/(?!%s|%s|backup)" % tuple(DISKS)
    delete = r"/1.3/storage/"
    second_disk, second_start = DISKS[1], "/storage/%s/backup$" % DISKS[1]
    failure_text = "is in state error"  # there is no channel for a reason
    refusal = "UpCloud cannot cancel"
    no = ({"error": {"error_code": "STORAGE_BACKUP_LIMIT", "error_message": "no more backups"}}, "STORAGE_BACKUP_LIMIT: no more backups")
    retained = (403, {"error": {"error_code": "ACTION_FORBIDDEN", "error_message": "it belongs to a backup rule"}}, "ACTION_FORBIDDEN: it belongs to a backup rule")

    def warning(self, s):
        """A storage is online or in error; an invented state is an unknown word."""
        s.fault("stuck", state="running")
        s.run()
        s.started()
        s.fault("unknown_state", "GET", self.poll, 1, state="degraded")
        s.until(lambda: [e for e in s.events() if "degraded" in e["message"]], "the word is told")
        check(s.result()["status"] == "IN_PROGRESS", "the status stays", s.result())

    def never_arrived(self, s):
        """The list of backups has none of that title, so it is asked for anew: once."""
        s.ended("SUCCEEDED")
        check(len(s.jobs()) == 2, "once for each disk", s.jobs())

    def overdue(self, s, result):
        super().overdue(s, result)
        s.until(lambda: s.requests("DELETE", self.delete), "what was made is removed as soon as UpCloud lets us")
        s.fault("state_jump", state="success")
        s.until(lambda: s.sim("objects")["backups"] == [], "nothing is left")

    def nothing_left(self, s):
        """Of the result that somebody laid hands on, the other disk's backup was deleted, too."""
        check(s.sim("objects")["backups"] == [], "no backup is left", s.sim("objects"))

    def paging(self, scenario):
        """What is on a later page is there, too. An API without lists cannot say that nothing was started, and a person has to."""
        s = scenario("pages").serve()
        s.fault("pages", n=1)
        s.fault("timeout_after_processing", "POST", self.second_start, hold_s=0.1)
        s.run()
        s.ended("SUCCEEDED")
        check(len(s.jobs()) == 2, "once for each disk", s.jobs())
        s = scenario("no-lists", seed={"lists": False}).serve()
        s.fault("timeout_after_processing", "POST", self.start, hold_s=0.1)
        s.run()
        s.until(lambda: s.requests("GET", "/1.3/storage$"), "the lists are asked for")
        s.until(lambda: "cannot be said" in (s.result().get("statusMessage") or ""), "it is not known what was started")
        check(len(s.jobs()) == 1, "and nothing is started a second time", s.jobs())


VM = "f9bc55c8-4b7f-4dfb-8b2a-3bdb0f6b2a53"
CLUSTER = "0005ab9c-1234-5678-0000-000000012345"


class PrismCentral(Case):
    code, sim, name = "nutanix-prism", "nutanix", "nutanix-central"
    base = ""
    seed = {"username": "admin", "password": "nutanix/4u", "vms": [VM], "cluster": CLUSTER}
    credentials = ["--username", "admin", "--set", "password=nutanix/4u"]
    options = ["vmUuid=" + VM, "clusterUuid=" + CLUSTER]
    secrets = ["nutanix/4u", "YWRtaW46bnV0YW5peC80dQ=="]
    has_size = False  # a snapshot is told without one
    start = r"/v2.0/snapshots$"
    poll = r"/v3/tasks/"
    delete = r"/v2.0/snapshots/"
    failure_text = "no space left on the datastore"
    refusal = "Prism cannot cancel"
    no = ({"message": "VM is in a protection domain that forbids it"}, "VM is in a protection domain that forbids it")
    retained = (422, {"message": "the snapshot belongs to a protection policy"}, "the snapshot belongs to a protection policy")

    def warning(self, s):
        """A task succeeds or fails; an invented status is an unknown word. A task that does not say what it made: the snapshot is found by name."""
        s.sim("seed", dict(self.seed, vendor=self.sim, has_references=False))
        s.run()
        result = s.ended("SUCCEEDED")
        check(result["snapshotId"] in s.sim("objects")["snapshots"], "the snapshot was found by its name", result)

    def never_arrived(self, s):
        """Nothing tells that no task is making it: never a second start, and in the end a person."""
        s.until(lambda: "does not say" in (s.result().get("statusMessage") or "") and s.result()["errorCount"] > 1, "it is looked for, again and again")
        check(s.jobs() == [] and len(s.requests("POST", self.start)) == 1, "and not started anew", s.requests("POST"))
        check(s.result()["status"] not in ("FAILED", "SUCCEEDED"), "nor judged", s.result())

    def nothing_left(self, s):
        check(s.sim("objects")["snapshots"] == [], "no snapshot is left", s.sim("objects"))

    def paging(self, scenario):
        """Its lists have no pages. Instead: the task of a deletion that fails, and a task that was aborted."""
        s = scenario("kept", seed={"refuses_deletion": "a clone of it is in use"}).serve()
        s.run()
        result = s.ended("SUCCEEDED")
        done = s.o("result", "rm", result["uuid"], "--yes")
        check(done.returncode == 1 and "a clone of it is in use" in done.stderr, "why the deletion failed is told", done.stderr)
        s = scenario("aborted", seed={"job": {"ends": "cancelled"}}).serve()
        s.run()
        s.ended("CANCELLED")


class PrismElement(PrismCentral):
    name = "nutanix-element"
    base = "/"
    seed = {"username": "admin", "password": "nutanix/4u", "vms": [VM]}
    credentials = PrismCentral.credentials + ["--set", "prism=element"]
    options = ["vmUuid=" + VM]
    poll = r"/v2.0/tasks/"


class Rubrik(Case):
    code, sim = "rubrik-vmware", "rubrik"
    base = ""
    seed = {"username": "admin", "password": "Rubrik!23", "vms": {"vm-123": "VirtualMachine:::7d2b-vm-123", "vm-9": "VirtualMachine:::7d2b-vm-9"}}
    credentials = ["--username", "admin", "--set", "password=Rubrik!23"]
    options = ["vm=vm-123"]
    secrets = ["Rubrik!23", "YWRtaW46UnVicmlrITIz"]
    has_name = False  # a request carries none
    has_size = False
    cancels = True
    overdue_status = "CANCELLED"
    start = r"/vmware/vm/[^/]+/snapshot$"
    poll = r"/vmware/vm/request/"
    delete = r"/vmware/vm/snapshot/"
    failure_text = "The snapshot failed: no space left on the datastore"
    no = ({"errorType": "user_error", "message": "{\"message\":\"no licence\",\"cause\":{\"reason\":\"it has expired\"}}"}, "no licence: it has expired")
    retained = (422, {"message": "the snapshot is under legal hold"}, "the snapshot is under legal hold")

    def warning(self, s):
        """A request has no such end. But where it does not link to what it made, and there are several candidates, the snapshot cannot be deleted by us."""
        s.fault("stuck", state="running")
        s.must("backup", "create", "other", "--provider", self.code, "--connection", "vendor", "--set", "vm=vm-123")
        s.children.append(s.background("backup", "run", "other"))
        s.run()
        s.until(lambda: len(s.jobs()) == 2, "both run")
        s.fault("state_jump", state="warning")
        s.until(lambda: [r["status"] for r in s.results()] == ["SUCCEEDED_WARNING"] * 2, "both succeed with a warning")
        check(all("does not say which snapshot" in r["statusMessage"] for r in s.results()), "it says why", s.results())

    def never_arrived(self, s):
        """Neither events nor snapshots tell that it was not begun: never a second start, and in the end a person."""
        s.until(lambda: "does not tell" in (s.result().get("statusMessage") or "") and s.result()["errorCount"] > 1, "it is looked for, again and again")
        check(s.jobs() == [] and len(s.requests("POST", self.start)) == 1, "and not started anew", s.requests("POST"))
        check(s.result()["status"] not in ("FAILED", "SUCCEEDED"), "nor judged", s.result())

    def expire(self, s):
        s.fault("session_expire")

    def check_sessions(self, s, logins):
        opened = [r for r in s.requests("POST", "/session$") if r["status"] == 200]
        check(len(opened) == logins + 1, "there was one login more", s.requests("POST", "/session"))
        check(s.sim("sessions")["most"] == 1, "never more than one was open", s.sim("sessions"))
        s.stop()
        check(s.sim("sessions")["open"] == 0, "and none is left", s.sim("sessions"))

    def overdue(self, s, result):
        check(s.requests("DELETE", self.poll), "it was asked to be cancelled", s.requests("DELETE"))

    def nothing_left(self, s):
        check(s.sim("objects")["snapshots"] == [], "no snapshot is left", s.sim("objects"))

    def paging(self, scenario):
        s = scenario("pages", seed={"other_snapshots": 1, "has_links": False}).serve()
        s.fault("pages", n=1)
        s.run()
        s.ended("SUCCEEDED")
        pages = [r for r in s.requests("GET", "/snapshot$")]
        check(sorted({r["query"].get("offset", "0") for r in pages}) == ["0", "1", "2"], "three pages were read", pages)
        s = scenario("no-next", seed={"other_snapshots": 1, "has_links": False}).serve()
        s.fault("pages", n=1, no_next=True)
        s.run()
        s.until(lambda: "not where" in (s.result().get("statusMessage") or ""), "more without a next link is an error")
        check(len(s.requests("GET", "/snapshot$")) < 20, "and not a loop", s.requests("GET", "/snapshot$"))
        self.assignment(scenario)
        self.lost_without_events(scenario)

    def assignment(self, scenario):
        """The SLA domain comes and goes with the Backup, also where the VM appears only after its vCenter was looked at."""
        s = scenario("sla", seed={"hidden_until_refresh": True}, options=["vm=vm-9", "slaDomain=Gold"]).serve()
        check(s.sim("objects")["assigned"]["VirtualMachine:::7d2b-vm-9"] == "sla-gold", "it is assigned", s.sim("objects"))
        check(len(s.requests("POST", "/refresh$")) == 1, "the vCenter was looked at once", s.requests("POST", "/refresh$"))
        s.must("backup", "update", "work", "--set", "slaDomain=sla-silver")
        check(s.sim("objects")["assigned"]["VirtualMachine:::7d2b-vm-9"] == "sla-silver", "changed", s.sim("objects"))
        done = s.o("backup", "update", "work", "--set", "slaDomain=Platinum")
        check(done.returncode == 1 and "no SLA domain 'Platinum'" in done.stderr, "one that is unknown is refused", done.stderr)
        s.fault("status", "PATCH", status=409)
        s.must("backup", "rm", "work", "--yes")
        check(s.sim("objects")["assigned"]["VirtualMachine:::7d2b-vm-9"] == "INHERIT", "and taken away again", s.sim("objects"))

    def lost_without_events(self, scenario):
        """Without events, the one new on-demand snapshot can only be ours."""
        s = scenario("no-events", seed={"has_events": False}).serve()
        s.fault("timeout_after_processing", "POST", self.start, hold_s=0.1)
        s.run()
        result = s.ended("SUCCEEDED")
        check(result["snapshotId"] in s.sim("objects")["snapshots"] and len(s.jobs()) == 1, "it is adopted", result)


    def company(self, scenario):
        """Somebody else's snapshot of the VM is done while ours, whose start was not answered, still runs: it is not taken for ours."""
        s = scenario("company", seed={"has_company": True}).serve()
        frozen(s)
        s.fault("timeout_after_processing", "POST", self.start, hold_s=0.1)
        s.run()
        s.until(lambda: "2 requests may be it" in (s.result().get("statusMessage") or "") and s.result()["errorCount"] > 1, "which is ours cannot be told")
        check(not s.result()["externalId"] and not s.result()["snapshotId"], "so none is taken", s.result())
        check(len(s.requests("POST", self.start)) == 1, "and nothing is started anew", s.requests("POST"))

    def garbled_login(self, scenario):
        """A login that cannot be read is asked for again, and what was readable of it is told nowhere."""
        s = scenario("garbled-login").serve()
        s.fault("session_expire")
        s.fault("bad_json", "POST", "/session$")
        s.run()
        s.ended("SUCCEEDED")
        told = s.log() + s.must("events", "--limit", "1000") + s.must("result", "show", s.result()["uuid"], "--journal", "--json")
        check(not [token for token in s.sim("sessions")["tokens"] if token in told], "no token is told", told)


class RubrikWithToken(Rubrik):
    """An API token in place of a login, and an older CDM, which cannot cancel."""
    name = "rubrik-token"
    base = "/api/v1/"
    seed = dict(Rubrik.seed, token="eyJ.service.token", cancels=False)
    credentials = ["--set", "serviceToken=eyJ.service.token"]
    secret, secrets = "serviceToken", ["eyJ.service.token"]
    cancels = False
    overdue_status = "FAILED"
    refusal = "this Rubrik does not cancel"
    cancel_is_asked = True

    def expire(self, s):
        s.fault("status", "GET", self.poll, status=401)

    def check_sessions(self, s, logins):
        check(s.requests("POST", "/session") == [], "nobody logs in", s.requests("POST", "/session"))

    def overdue(self, s, result):
        Case.overdue(self, s, result)

    paging = company = garbled_login = None  # as with a login

CASES = [DigitalOcean(), UpCloud(), PrismCentral(), PrismElement(), Rubrik(), RubrikWithToken()]
