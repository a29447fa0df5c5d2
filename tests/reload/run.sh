#!/bin/sh
# Rewrites providers under load: sh tests/reload/run.sh BUILD_DIR [REWRITES [SEED]]; 1000 of them, 150 in a sanitized build. Ends with `N passed,
# N failed`.
set -u
build=$(CDPATH= cd "$1" && pwd) || exit 1
if grep -q "^ORR_SANITIZE:BOOL=ON" "$build/CMakeCache.txt"; then usual=150; else usual=1000; fi
exec "$build/tests/orrery-reload" "${2:-$usual}" "${3:-$(date +%s)}"
