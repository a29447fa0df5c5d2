"""The job model that all simulated vendors share, driven by a clock that tests can move.

A job goes queued -> running -> finishing -> success | warning | failed | cancelled. Where it is follows from the clock alone; nothing
ticks. A vendor module translates its phase into the vendor's words. Knows neither HTTP nor any vendor.
"""
import time


class Clock:
    """Seconds since 1970 as the simulated vendor sees them: real time, plus what tests have advanced, plus a skew that only shows in dates."""

    def __init__(self):
        self.advanced = 0.0
        self.skew = 0.0

    def now(self):
        return time.time() + self.advanced

    def iso(self, at=None):
        at = (self.now() if at is None else at) + self.skew
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".%03dZ" % int(at % 1 * 1000)

    def iso_whole(self, at=None):
        return self.iso(at)[:19] + "Z"


PHASES = ("queued", "running", "finishing")
ENDS = ("success", "warning", "failed", "cancelled")


class Job:
    """One external job. `about` is whatever the vendor wants to remember of it."""

    def __init__(self, clock, number, plan, about):
        self.clock = clock
        self.number = number
        self.about = about
        self.plan = dict(plan)  # queued_s, running_s, finishing_s, ends, reason
        self.began = clock.now()
        self.ended = None  # (phase, when), once it is known for good
        self.frozen = None  # a phase it stays in
        self.gone = False  # the vendor does not know it any more

    def _lengths(self):
        return [float(self.plan.get(name + "_s", 0.1)) for name in PHASES]

    def phase(self):
        if self.ended:
            return self.ended[0]
        if self.frozen:
            return self.frozen
        at, passed = self.began, self.clock.now()
        for name, length in zip(PHASES, self._lengths()):
            at += length
            if passed < at:
                return name
        self.ended = (self.plan.get("ends", "success"), at)
        return self.ended[0]

    def end_time(self):
        self.phase()
        return self.ended[1] if self.ended else None

    def progress(self):
        phase = self.phase()
        if phase == "queued":
            return 0
        if phase != "running":
            return 100 if phase in ENDS else 99
        queued, running, _ = self._lengths()
        return min(99, max(0, int(100 * (self.clock.now() - self.began - queued) / max(running, 0.001))))

    def is_live(self):
        return self.phase() not in ENDS

    def cancel(self):
        """True if it could still be stopped: what is finishing goes on to its end."""
        if self.phase() not in ("queued", "running"):
            return False
        self.ended = ("cancelled", self.clock.now())
        return True

    def jump(self, phase):
        self.frozen = None
        if phase in ENDS:
            self.ended = (phase, self.clock.now())
        else:
            self.frozen = phase

    def view(self):
        return {"number": self.number, "phase": self.phase(), "about": self.about, "began": self.began, "gone": self.gone}
