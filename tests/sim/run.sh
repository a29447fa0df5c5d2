#!/bin/sh
# The vendors' providers against simulators of their APIs: sh tests/sim/run.sh BUILD_DIR
#
# Every vendor by every row of the acceptance matrix (rows.py), through the real program, with real kills. The simulators (sim.py) are a process of
# their own with a ledger. A sanitized build runs the rows below only: the others would take it too long and run the same code of ours.
# Ends with `N passed, N failed`.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-.}" && pwd) || exit 1
[ -x "$build/orrery" ] || { echo "there is no program $build/orrery"; echo "0 passed, 1 failed"; exit 1; }
if grep -q '^ORR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" 2>/dev/null; then
  SIM_ROWS=${SIM_ROWS:-happy transient unauthorized-midrun kill-after-post cancel-running delete}
  SIM_AT_ONCE=${SIM_AT_ONCE:-4}
  export SIM_ROWS SIM_AT_ONCE
fi
unset ORRERY_DATA ORRERY_PROVIDERS XDG_DATA_HOME NO_COLOR
export PYTHONDONTWRITEBYTECODE=1
shift
exec python3 "$here/matrix.py" "$build" "$@"
