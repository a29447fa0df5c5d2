"""The rows of the acceptance matrix: what has to hold for every vendor, said once. What differs between vendors is in cases.py.

A row is a function of a case (the vendor) and `scenario(name, ...)`, which makes a Scenario; it raises Failure. Where something is impossible for a
vendor, the row asserts what is honest instead: a refusal that says so, or a result that waits for a person.
"""
import re
import time

from harness import check, frozen

ROWS = []


def row(function, applies=lambda case: True):
    ROWS.append((function.__name__.replace("_", "-"), function, applies))
    return function


def once(s, case, jobs=None):
    """Exactly one external job per part: the ledger says so, not we."""
    expected = case.parts if jobs is None else jobs
    check(len(s.jobs()) == expected, "there are %d external jobs, not %d" % (len(s.jobs()), expected), s.jobs())


def starts(s, case):
    return [r for r in s.requests("POST", case.start) if 200 <= r["status"] < 300]


def finish(s, how="success"):
    s.fault("state_jump", state=how)


@row
def happy(case, scenario):
    s = scenario("happy").serve()
    s.must("connection", "test", "vendor")
    s.run()
    result = s.ended("SUCCEEDED")
    once(s, case)
    check(result["externalId"] and result["startDate"] and result["endDate"], "ids and dates are set", result)
    check(result["endDate"] >= result["startDate"], "the end is after the start", result)
    if case.has_size:
        check(result["sizeInBytes"], "its size is set", result)
    check(any(result["uuid"] in str(r["body"]) for r in s.requests("POST", case.start)) == case.has_name, "what was started has our name")


@row
def warning(case, scenario):
    s = scenario("warning").serve()
    case.warning(s)


@row
def vendor_failure(case, scenario):
    s = scenario("failure", seed={"job": {"ends": "failed", "reason": "no space left on the datastore"}}).serve()
    s.run()
    result = s.ended("FAILED")
    once(s, case)
    check(case.failure_text in (result["errorMessage"] or ""), "it says what the vendor said", result)
    s.until(lambda: s.o("result", "rm", result["uuid"], "--yes").returncode == 0, "it can be deleted, once its clean-ups are done")


@row
def unknown_state(case, scenario):
    s = scenario("unknown").serve()
    frozen(s)
    s.fault("unknown_state", "GET", case.poll, 2, state="SUCCEEDED-ISH")
    s.run()
    s.until(lambda: len([r for r in s.requests("GET", case.poll)]) > 3, "it is polled on")
    check(s.result()["status"] == "IN_PROGRESS", "the status stays", s.result())
    found = [e for e in s.events() if "SUCCEEDED-ISH" in (e["message"] or "").upper()]
    check(found and found[0]["level"] == "warning", "the word is told as a warning", s.events())
    finish(s)
    s.ended("SUCCEEDED")


@row
def transient(case, scenario):
    s = scenario("transient").serve()
    frozen(s)
    s.run()
    s.started()
    s.fault("status", "GET", case.poll, status=500)
    s.fault("status", "GET", case.poll, status=503)
    s.fault("timeout_before_processing", "GET", case.poll, 1000, hold_s=0.1)  # the HTTP client itself asks several times
    s.until(lambda: s.result()["errorCount"] >= 3, "three errors are counted")
    check(s.result()["status"] == "IN_PROGRESS", "it is still in progress", s.result())
    s.fault("clear")
    finish(s)
    result = s.ended("SUCCEEDED")
    check(result["errorCount"] == 0, "and the errors are forgotten", result)
    once(s, case)


@row
def unauthorized_midrun(case, scenario):
    s = scenario("unauthorized", **case.unauthorized_setup).serve()
    frozen(s)
    s.run()
    s.started()
    logins = len(s.requests("POST", "/session$"))
    case.expire(s)
    count = len(s.requests("GET", case.poll))
    s.until(lambda: len(s.requests("GET", case.poll)) > count + 3, "it is polled on")
    check(any(r["status"] == 401 for r in s.requests()), "there was a 401", s.requests())
    check(s.result()["status"] == "IN_PROGRESS", "it is still in progress", s.result())
    finish(s)
    s.ended("SUCCEEDED")
    once(s, case)
    case.check_sessions(s, logins)


@row
def rate_limited(case, scenario):
    s = scenario("rate").serve()
    s.fault("status", "POST", case.start, 2, status=429, retry_after=1)
    began = time.monotonic()
    s.run()
    s.ended("SUCCEEDED")
    check(time.monotonic() - began >= 2, "it has waited as it was told")
    once(s, case)
    check(len(starts(s, case)) == case.parts, "no POST was doubled", s.requests("POST"))


@row
def lost_reply(case, scenario):
    s = scenario("lost", **case.lost_setup).serve()
    s.fault("timeout_after_processing", "POST", case.start, hold_s=0.2)
    s.run()
    result = s.ended("SUCCEEDED")
    once(s, case)
    check(result["externalId"], "its external id is known", result)


@row
def garbled_reply(case, scenario):
    for action in ("bad_json", "truncate_body"):
        s = scenario("garbled-" + action.replace("_", "-"), **case.lost_setup).serve()
        s.fault(action, "POST", case.start)
        s.run()
        s.ended("SUCCEEDED")
        once(s, case)


@row
def skewed(case, scenario):
    """Their clock is an hour ahead, or behind, the job is not visible at first, and connections break."""
    for skew in (3600, -3600):
        s = scenario("skew%d" % skew, **case.lost_setup).serve()
        s.fault("clock_skew", s=skew)
        s.fault("timeout_after_processing", "POST", case.start, hold_s=0.1) if skew < 0 else None
        s.fault("eventual_visibility", "GET", case.poll, n=1)
        s.fault("reset", "GET", case.poll, 2)
        s.run()
        result = s.ended("SUCCEEDED")
        once(s, case)
        check(not result["attention"] and 0 <= result["endDate"] - result["startDate"] < 2 * 3600 * 1000, "dates are sane", result)
        check(abs(result["endDate"] / 1000 - time.time()) < 2 * 3600, "and near", result)
        check(result["endDate"] / 1000 < time.time() + 60, "and nothing ended in the future", result)


@row
def lost_for_good(case, scenario):
    """The start never arrived, but that cannot be seen from here."""
    s = scenario("never-arrived", **case.lost_setup).serve()
    s.fault("timeout_before_processing", "POST", case.start, hold_s=0.2)
    s.run()
    case.never_arrived(s)


@row
def kill_after_post(case, scenario):
    s = scenario("kill-post", **case.lost_setup).serve()
    s.fault("timeout_after_processing", "POST", case.start, hold_s=120)
    s.run()
    s.until(lambda: s.requests("POST", case.start), "the POST has been processed")
    s.kill()
    s.serve()
    s.ended("SUCCEEDED")
    once(s, case)


@row
def kill_while_waiting(case, scenario):
    s = scenario("kill-wait").serve()
    frozen(s)
    s.run()
    s.started()
    s.kill()
    s.serve()
    count = len(s.requests("GET", case.poll))
    s.until(lambda: len(s.requests("GET", case.poll)) > count + 1, "it is polled again")
    finish(s)
    s.ended("SUCCEEDED")
    once(s, case)
    check(len(starts(s, case)) == case.parts, "nothing was sent twice", s.requests("POST"))


@row
def vanished(case, scenario):
    s = scenario("vanished", tune={"timeout": "30"}).serve()
    frozen(s)
    s.run()
    s.started()
    s.fault("vanish")
    s.attention("lost_external")
    check(s.result()["status"] == "IN_PROGRESS", "which is no end yet", s.result())
    result = s.ended("FAILED")
    check("by its deadline" in result["errorMessage"] and not result["attention"], "at the deadline it says why", result)
    once(s, case)


@row
def never_finishes(case, scenario):
    s = scenario("endless", tune={"timeout": "15"}).serve()
    frozen(s)
    s.run()
    result = s.ended(case.overdue_status)
    once(s, case)
    case.overdue(s, result)


def cancelled_at(case, scenario, phase):
    s = scenario("cancel-" + phase).serve()
    frozen(s, phase)
    s.run()
    result = s.started()
    done = s.o("result", "cancel", result["uuid"])
    if not case.cancels:
        check(done.returncode == 1 and case.refusal in done.stderr, "the refusal is honest", done.stderr, done.stdout)
        s.until(lambda: s.result()["status"] in ("IN_PROGRESS", "START_REQUESTED"), "and the status returns")
        check(bool(s.requests("DELETE")) == case.cancel_is_asked, "nothing that does not exist was asked for", s.requests("DELETE"))
        finish(s)
        s.ended("SUCCEEDED")
    elif phase == "finishing":
        check(done.returncode == 0, "the vendor was asked", done.stderr)
        finish(s)
        s.ended("SUCCEEDED")
    else:
        check(done.returncode == 0, "the vendor was asked", done.stderr)
        s.ended("CANCELLED")
        check([j["phase"] for j in s.jobs()] == ["cancelled"], "and it has ended there", s.jobs())
    once(s, case)


@row
def cancel_queued(case, scenario):
    cancelled_at(case, scenario, "queued")


@row
def cancel_running(case, scenario):
    cancelled_at(case, scenario, "running")


@row
def cancel_finishing(case, scenario):
    cancelled_at(case, scenario, "finishing")


@row
def delete(case, scenario):
    s = scenario("delete").serve()
    for count in range(1, 4):
        s.run()
        s.until(lambda: len([r for r in s.results() if r["status"] == "SUCCEEDED"]) == count, "%d results" % count)
    one, two, three = (r["uuid"] for r in s.results())
    check("deleted" in s.must("result", "rm", one, "--yes"), "204: deleted")
    for name in (s.detail(two)["externalId"] if case.parts > 1 else s.detail(two)["snapshotId"]).split(","):
        s.sim("remove", {"id": name})
    check("gone already" in s.must("result", "rm", two, "--yes"), "404: gone already")
    s.fault("status", "DELETE", case.delete, status=case.retained[0], body=case.retained[1])
    done = s.o("result", "rm", three, "--yes")
    check(done.returncode == 1 and case.retained[2] in done.stderr and "keeps" in done.stderr, "retained: refused, with the vendor's reason", done.stderr)
    check(s.detail(three)["status"] == "SUCCEEDED", "and the record stays")
    s.fault("status", "DELETE", case.delete, status=409)
    check("deleted" in s.must("result", "rm", three, "--yes"), "409: tried again")
    check(s.results() == [], "all are gone", s.results())
    case.nothing_left(s)


@row
def lost_deletion(case, scenario):
    """The answer to a deletion is lost, and so it is asked for while the first is at work, or done."""
    s = scenario("lost-deletion").serve()
    s.run()
    result = s.ended("SUCCEEDED")
    s.fault("timeout_after_processing", "DELETE", case.delete, hold_s=0.1)
    s.must("result", "rm", result["uuid"], "--yes")
    case.nothing_left(s)


@row
def refused_start(case, scenario):
    s = scenario("refused").serve()
    s.fault("status", "POST", case.start, status=422, body=case.no[0])
    s.run()
    result = s.ended("FAILED")
    check(case.no[1] in (result["errorMessage"] or ""), "it says what the vendor said", result)
    once(s, case, 0)
    s.must("result", "rm", result["uuid"], "--yes")


def paging(case, scenario):
    case.paging(scenario)


row(paging, lambda case: case.paging)


def company(case, scenario):
    case.company(scenario)


row(company, lambda case: case.company)


def garbled_login(case, scenario):
    case.garbled_login(scenario)


row(garbled_login, lambda case: case.garbled_login)


@row
def impostor(case, scenario):
    """Something answers at that address that is not the vendor."""
    s = scenario("impostor").serve()
    s.fault("status", "GET", status=200, body="<html>welcome</html>")
    done = s.o("connection", "test", "vendor")
    check(done.returncode == 1 and "makes no sense" in done.stderr, "it is not taken for the vendor", done.stderr)


@row
def replaced_midrun(case, scenario):
    def version(name):
        return lambda text: text[:text.rindex("return provider")] + (
            'local refresh = provider.refreshBackupResult\nfunction provider.refreshBackupResult(result)\n'
            '  log.info("version %s begins")\n  local a, b = refresh(result)\n  log.info("version %s ends")\n  return a, b\nend\n\nreturn provider\n' % (name, name))
    s = scenario("replaced")
    s.copy_provider(version("A"))
    s.serve()
    frozen(s)
    s.run()
    s.started()
    s.fault("slow", "GET", case.poll, ms=2000)
    s.until(lambda: [r for r in s.requests("GET", case.poll) if r["fault"] == "slow"], "a poll waits for its answer")
    s.copy_provider(version("B"))
    s.until(lambda: "version B ends" in s.log(), "the new version runs")
    said = re.findall(r'msg="version (. \w+)"', s.log())
    first = said.index("B begins")
    check("B" not in "".join(said[:first]) and "A" not in "".join(said[first:]), "no version runs beside the other", said)
    check(said[:first].count("A begins") == said[:first].count("A ends"), "the call in flight has finished on the old one", said)
    finish(s)
    s.ended("SUCCEEDED")
    once(s, case)
    check(len(starts(s, case)) == case.parts, "nothing was started anew")


@row
def credentials(case, scenario):
    s = scenario("credentials").serve()
    s.run()
    s.ended("SUCCEEDED")
    s.must("connection", "update", "vendor", "--set", case.secret + "=wrong-secret")
    done = s.o("connection", "test", "vendor")
    check(done.returncode == 1 and "401" in done.stderr, "credentials that are wrong are refused", done.stderr)
    s.run()
    s.until(lambda: len(s.results()) == 2 and s.results()[0]["status"] == "FAILED", "nothing can be started with them")
    check("401" in s.results()[0]["errorMessage"], "and the reason is told", s.results()[0])
    once(s, case)
    told = s.log() + s.must("events", "--limit", "1000") + s.must("result", "ls", "--json") + s.must("connection", "show", "vendor", "--json")
    check(not [secret for secret in case.secrets + ["wrong-secret"] if secret in told], "no secret is told", told)


@row
def self_signed(case, scenario):
    s = scenario("tls", is_tls=True).serve()
    s.must("connection", "test", "vendor")
    s.run()
    s.ended("SUCCEEDED")
    s.must("connection", "update", "vendor", "--set", "tlsFingerprint=" + "00" * 32)
    done = s.o("connection", "test", "vendor")
    check(done.returncode == 1 and "certificate" in done.stderr, "another certificate is not accepted", done.stderr)


def two_places(case, scenario):
    """A host besides the address, and another: nothing is sent to either, credentials least of all, and it says what to do."""
    s = scenario("two-places").serve()
    s.must("connection", "update", "vendor", "--host", "elsewhere.example")
    done = s.o("connection", "test", "vendor")
    check(done.returncode == 2 and "the host elsewhere.example: give it one of them" in done.stderr, "a test says so", done.stderr)
    s.run()
    result = s.ended("FAILED")
    check("give it one of them" in result["errorMessage"], "so does a run", result)
    check(s.requests() == [], "nothing was sent", s.requests())
    s.must("connection", "update", "vendor", "--unset", "host")
    s.run()
    s.until(lambda: [r["status"] for r in s.results()] == ["SUCCEEDED", "FAILED"], "with one of them it works")
    once(s, case)


row(two_places, lambda case: case.has_public)


def partial_failure(case, scenario):
    """One disk of several is refused, or ends in error: what was made of the others is removed, and of that result nothing stays."""
    s = scenario("partial").serve()
    second = case.second_start
    s.fault("status", "POST", second, status=402, body=case.no[0])
    s.run()
    result = s.ended("FAILED")
    check(case.no[1] in result["errorMessage"] and case.second_disk in result["errorMessage"], "it says which, and why", result)
    s.until(lambda: s.sim("objects")["backups"] == [], "the backup of the first disk is removed")
    check(len(s.jobs()) == 1, "it had been made once", s.jobs())
    s.until(lambda: s.o("result", "rm", result["uuid"], "--yes").returncode == 0, "and the result can be deleted")
    s = scenario("partial-killed").serve()
    s.fault("timeout_after_processing", "POST", second, hold_s=120)
    s.run()
    s.until(lambda: s.requests("POST", second), "the second disk is being asked for")
    s.kill()
    s.serve()
    s.ended("SUCCEEDED")
    once(s, case)
    s = scenario("partial-error").serve()
    frozen(s)
    s.run()
    s.started()
    s.fault("unknown_state", "GET", case.poll, state="error")
    s.ended("FAILED")
    finish(s)
    s.until(lambda: s.sim("objects")["backups"] == [], "both are removed as soon as that is possible")


row(partial_failure, lambda case: case.parts > 1)
