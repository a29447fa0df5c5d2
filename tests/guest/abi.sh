#!/bin/sh
# The binary interface as it was promised: sh tests/guest/abi.sh BUILD_DIR [--update]
#
# Compares the shared library of a build with tests/guest/orrery.abi: what was there must be there as it was; additions are fine.
# --update writes the file anew, with ORR_ABI of orrery.h raised where something was added (docs/compatibility.md).
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
library=$1/liborrery.so
header=$here/../../runtime/include
made=$(mktemp -d) || exit 1
trap 'rm -rf "$made"' EXIT

write() {
  abidw --exported-interfaces-only --no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed --drop-private-types \
    --type-id-style hash --headers-dir "$header" "$library" | sed "s|path='[^']*/runtime/|path='runtime/|" >"$1"
}

if [ "${2:-}" = --update ]; then
  write "$made/abi" && [ -s "$made/abi" ] && cp "$made/abi" "$here/orrery.abi"
  exit
fi
abidiff --no-added-syms --drop-private-types --headers-dir2 "$header" "$here/orrery.abi" "$library"
status=$?
[ "$status" -eq 0 ] || echo "the interface has changed for programs that are built already: see docs/compatibility.md"
exit "$status"
