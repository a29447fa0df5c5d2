#!/bin/sh
# libFuzzer over the calls that take JSON: sh tests/guest/fuzz.sh BUILD_DIR [SECONDS]
#
# Builds the library once more by clang, with its coverage and AddressSanitizer, beside the build (fuzz/), so a second run is quick. Says `skip` where
# clang has no fuzzer. What it finds lies in fuzz/found.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
seconds=${2:-20}
work=$build/fuzz
mkdir -p "$work/found" "$work/corpus"
echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n); int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 1000000; }' >"$work/probe.c"
clang -fsanitize=fuzzer,address -o "$work/probe" "$work/probe.c" 2>/dev/null || { echo "skip: this clang has no fuzzer"; exit 0; }
cache=$(command -v ccache)
cmake -S "$here/../.." -B "$work/build" -G Ninja -DCMAKE_C_COMPILER=clang ${cache:+-DCMAKE_C_COMPILER_LAUNCHER=ccache} -DORR_TESTS=OFF -DORR_LUA_DOOR=OFF \
  -DCMAKE_C_FLAGS="-fsanitize=fuzzer-no-link,address -g -O1" >"$work/log" 2>&1 && cmake --build "$work/build" --target orrery_static >>"$work/log" 2>&1 ||
  { tail -n 30 "$work/log"; exit 1; }
clang -Wall -Wextra -Werror -g -O1 -fsanitize=fuzzer,address -I "$here/../../runtime/include" -o "$work/fuzz" "$here/fuzz.c" "$work/build/liborrery.a" \
  $(pkg-config --libs luajit libcurl openssl libcjson libuv sqlite3 libsodium) -lm -pthread -ldl || exit 1
printf '\000\000{"name":"x","provider":"lua","config":{"a":[1,2,{"b":null}]}}' >"$work/corpus/submit"
printf '\002\000{"status":200,"headers":{"a":["b"]},"body":"x"}' >"$work/corpus/answer"
printf '\004\000{"job":{"key":"k","name":"n","state":"ended","code":0,"log":"x"},"programs":{"tar":null}}' >"$work/corpus/tell"
printf '\005\000{"apiVersion":1,"code":"z","name":"Z","version":"1","optionTypes":[{"fieldName":"p","fieldLabel":"P","inputType":"text"}]}' >"$work/corpus/declare"
printf '\006\001{"x":1}' >"$work/corpus/set"
printf '\007\000{"success":false,"errors":{"a":"b"},"msg":"m"}' >"$work/corpus/done"
ASAN_OPTIONS=detect_leaks=0 "$work/fuzz" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$work/found/" "$work/corpus" >"$work/run" 2>&1
status=$?
grep -E '^stat::number_of_executed_units' "$work/run"
[ "$status" -eq 0 ] || tail -n 60 "$work/run"
exit "$status"
