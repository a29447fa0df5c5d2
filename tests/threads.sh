#!/bin/sh
# ThreadSanitizer over what more than one thread does: the store's thread, wakers, orr_start and everything that hosts call from several
# threads: sh tests/threads.sh BUILD_DIR
#
# Builds once more, beside the build (threads/), only what it needs, so a second run is quick. What is not built by us (LuaJIT, libcurl, SQLite, libuv)
# is not looked into. A program counts as one test: it has to pass, and nothing is reported. Ends with `N passed, N failed`.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
work=$build/threads
programs="test_store_sqlite test_store_disk test_host_loops test_host_close test_store_contract test_store_memory test_host_services test_host_hooks
  test_host_midst test_host_clock test_port_loop"
passed=0
failed=0
mkdir -p "$work"

# Has a race in it, which has to be reported: else nothing below says anything.
cat >"$work/race.c" <<'END'
#include <pthread.h>
static int shared;
static void *add(void *arg) { shared++; return arg; }
int main(void) {
  pthread_t thread;
  if (pthread_create(&thread, 0, add, 0)) return 1;
  shared++;
  pthread_join(thread, 0);
  return 0;
}
END
gcc -fsanitize=thread -o "$work/race" "$work/race.c" -pthread || { echo "0 passed, 1 failed"; exit 1; }

# Kernels that scatter memory more widely than this libtsan knows end its programs as they begin: then without that.
plain=
"$work/race" >"$work/said" 2>&1
if grep -q "unexpected memory mapping" "$work/said"; then plain="setarch -R"; fi
$plain "$work/race" >"$work/said" 2>&1
if ! grep -q "WARNING: ThreadSanitizer: data race" "$work/said"; then
  cat "$work/said"
  echo "not ok ThreadSanitizer sees a race"
  echo "0 passed, 1 failed"
  exit 1
fi

cache=$(command -v ccache)
if ! { cmake -S "$here/.." -B "$work/build" -G Ninja -DCMAKE_C_COMPILER=gcc ${cache:+-DCMAKE_C_COMPILER_LAUNCHER=ccache} -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DORR_LUA_DOOR=OFF -DCMAKE_C_FLAGS=-fsanitize=thread && cmake --build "$work/build" --target orrery_static $programs; } >"$work/log" 2>&1; then
  grep -A 5 -E 'error|FAILED' "$work/log" | head -n 30
  echo "not ok it builds"
  echo "0 passed, 1 failed"
  exit 1
fi

# clean NAME COMMAND...: it succeeds, and nothing is reported.
clean() {
  name=$1
  shift
  TSAN_OPTIONS=second_deadlock_stack=1 timeout 400 $plain "$@" >"$work/$name.out" 2>&1
  status=$?
  if [ "$status" -eq 0 ] && ! grep -q "WARNING: ThreadSanitizer" "$work/$name.out"; then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    echo "not ok $name ended with $status"
    grep -a -E -A 40 'WARNING: ThreadSanitizer|^\[  FAILED|LINE   \]' "$work/$name.out" | head -n 80 | sed 's/^/    /'
  fi
}

for program in $programs; do clean "$program" "$work/build/tests/$program"; done
if gcc -g -fsanitize=thread -D_GNU_SOURCE -I "$here/../runtime/include" -o "$work/thread" "$here/../docs/examples/loops/thread.c" "$work/build/liborrery.a" \
  $(pkg-config --cflags --libs luajit libcurl openssl libcjson libuv sqlite3 libsodium) -lm -pthread -ldl >"$work/log" 2>&1; then
  clean thread "$work/thread"
else
  cat "$work/log"
  failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
