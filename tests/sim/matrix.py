#!/usr/bin/env python3
"""The acceptance matrix: every vendor by every row, against the simulators: python3 tests/sim/matrix.py BUILD_DIR [--only PATTERN] [--keep]

Scenarios run side by side, each with a runtime and a world of its own. Then providers that are wrong on purpose (controls.py) must be caught. Prints `ok` and `not ok` lines and ends with `N passed, N failed`.
$SIM_ROWS, names parted by blanks, are the rows to run; without it all. $SIM_AT_ONCE is how many scenarios run at a time.
"""
import argparse
import os
import re
import sys
import tempfile
import time
import types
from concurrent.futures import ThreadPoolExecutor

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from cases import CASES  # noqa: E402
from controls import CONTROLS  # noqa: E402
from harness import Failure, Scenario, Simulator  # noqa: E402
from rows import ROWS  # noqa: E402


def run_row(tools, case, function, name, title="", **always):
    """(whether it holds, what to print)"""
    made = []

    def scenario(called, **more):
        made.append(Scenario(tools, case, title + called, **more, **always))
        return made[-1]
    began = time.monotonic()
    try:
        function(case, scenario)
        text = "ok %s %s (%.1f s)" % (case.name, name, time.monotonic() - began)
        return True, text
    except Exception as err:  # a row that breaks has failed, whatever it was
        text = str(err) if isinstance(err, Failure) else "%s: %s" % (type(err).__name__, err)
        last = "\n".join("  # " + line for line in made[-1].log().splitlines()[-12:]) if made and made[-1].serving else ""
        return False, "not ok %s %s: %s\n%s" % (case.name, name, text, last)
    finally:
        for one in made:
            one.stop() if tools.keep else one.clean()


def run_control(tools, control):
    """A provider that is wrong on purpose: the row that is there for it has to fail, and not by a timeout of the control itself."""
    vendor, name, what, damage = control
    case = next(c for c in CASES if c.name == vendor)
    function = next(f for n, f, _ in ROWS if n == name)
    is_good, text = run_row(tools, case, function, name, title="wrong-", limit=20, damage=damage)
    if is_good or "nothing to damage" in text:
        return False, "not ok wrong on purpose: %s %s is not caught by %s: %s" % (vendor, what, name, text)
    return True, "ok wrong on purpose: %s %s is caught by %s: %s" % (vendor, what, name, text.split(": ", 1)[1].splitlines()[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="orr-sim.")
    tools = types.SimpleNamespace(folder=folder, orrery=os.path.join(os.path.abspath(args.build), "orrery"), keep=args.keep,
                                  providers=os.path.join(here, "..", "..", "providers"), sim=Simulator(folder, os.path.join(here, "sim.py")))
    wanted = os.environ.get("SIM_ROWS", "").split()
    work = [(case, function, name) for name, function, applies in ROWS for case in CASES
            if applies(case) and (not wanted or name in wanted) and re.search(args.only, case.name + " " + name)]
    controls = [c for c in CONTROLS if not wanted and re.search(args.only, "controls " + c[0] + " " + c[1])]
    passed = failed = 0
    with ThreadPoolExecutor(int(os.environ.get("SIM_AT_ONCE", "8"))) as pool:
        todo = [lambda one=one: run_row(tools, *one) for one in work] + [lambda one=one: run_control(tools, one) for one in controls]
        for is_good, text in pool.map(lambda one: one(), todo):
            passed, failed = passed + is_good, failed + (not is_good)
            print(text, flush=True)
    tools.sim.end()
    if args.keep:
        print("everything is in " + folder)
    else:
        import shutil
        shutil.rmtree(folder, ignore_errors=True)
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
