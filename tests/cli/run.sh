#!/bin/sh
# The command line from outside: sh tests/cli/run.sh [BUILD_DIR]; the program is BUILD_DIR/orrery, or $ORRERY.
#
# Every other .sh file here is one test, run as tests/folder.sh says, with the helpers of helpers/cli.sh. Each makes its own providers, so
# none depends on those that are shipped. Ends with `N passed, N failed`.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-.}" && pwd) || exit 1
ORRERY=${ORRERY:-$build/orrery}
[ -x "$ORRERY" ] || { echo "there is no program $ORRERY"; echo "0 passed, 1 failed"; exit 1; }
export ORRERY
. "$here/../folder.sh"
run_folder "$here" "$here/helpers/cli.sh" 600
