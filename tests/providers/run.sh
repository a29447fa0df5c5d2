#!/bin/sh
# The shipped providers with their real tools, through the command line: sh tests/providers/run.sh BUILD_DIR
#
# Every other .sh file here is one test, run as tests/folder.sh says, with the helpers of helpers/real.sh. What is tested are
# BUILD_DIR/orrery and BUILD_DIR/orrery-runner with the providers of this tree. Ends with `N passed, N failed`.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=$(cd "${1:-.}" && pwd) || exit 1
ORRERY=$build/orrery
for program in "$ORRERY" "$build/orrery-runner"; do
  [ -x "$program" ] || { echo "there is no program $program"; echo "0 passed, 1 failed"; exit 1; }
done
export ORRERY
unset RESTIC_REPOSITORY RESTIC_PASSWORD
. "$here/../folder.sh"
run_folder "$here" "$here/helpers/real.sh" 300
