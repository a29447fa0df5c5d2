#!/bin/sh
# Measures how fast Orrery is beside the bare libraries: sh tests/bench/run.sh BUILD_DIR [CASE ...] [--smoke] [--runs N] [--seconds S]
#
# With nothing but a build directory, as the whole suite calls it, it is a smoke run: every case with small numbers, judged by what it
# counted and never by time. A measurement names its cases, or `all`. docs/performance.md has the results and what the cases mean.
# Databases are made below the build directory, which is on a real file system. Ends with `N passed, N failed`.
set -u

build=$(CDPATH= cd "$1" && pwd) || exit 1
shift
[ $# -gt 0 ] || set -- all --smoke
dir=$(mktemp -d "$build/bench.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
"$build/tests/orrery-bench" "$@" --dir "$dir"
