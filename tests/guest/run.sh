#!/bin/sh
# Is the library a good guest? sh tests/guest/run.sh BUILD_DIR
#
# Everything is built against what is installed into a fresh prefix, never against this tree: a host program with a life of its own, the
# header under the strictest warnings, what an idle runtime costs, the binary interface. Ends with `N passed, N failed`.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
prefix=$place/prefix
passed=0
failed=0

# holds WHAT COMMAND...: counts the command's success.
holds() {
  what=$1
  shift
  if timeout 400 "$@" >"$place/out" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "not ok $what"
    head -n 40 "$place/out"
  fi
}

sanitized=
if grep -q '^ORR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt"; then sanitized=yes; fi
cmake --install "$build" --prefix "$prefix" >"$place/out" 2>&1 || { cat "$place/out"; echo "0 passed, 1 failed"; exit 1; }
lib=$(dirname "$(find "$prefix" -name liborrery.so)")
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"

# ---- the header
holds "orrery.h is C11" gcc -std=c11 -Wall -Wextra -pedantic -Wshadow -Wconversion -Wstrict-prototypes -Werror -fsyntax-only -I "$prefix/include" "$here/strict.c"
holds "orrery.h is C11 for clang" clang -std=c11 -Wall -Wextra -pedantic -Wshadow -Wconversion -Werror -fsyntax-only -I "$prefix/include" "$here/strict.c"
holds "orrery.h is C++17" g++ -std=c++17 -Wall -Wextra -pedantic -Wshadow -Wconversion -Werror -fsyntax-only -x c++ -I "$prefix/include" "$here/strict.c"
holds "orrery.h is C++17 for clang" clang++ -std=c++17 -Wall -Wextra -pedantic -Wshadow -Wconversion -Werror -fsyntax-only -x c++ -I "$prefix/include" "$here/strict.c"

# ---- the program of docs/embedding.md
awk '/^```c$/ { inside = 1; next } /^```$/ { exit } inside' "$here/../../docs/embedding.md" >"$place/hello.c"
holds "the program of the documentation builds" gcc -Wall -Wextra -Werror ${sanitized:+-fsanitize=address,undefined} -o "$place/hello" "$place/hello.c" $(pkg-config --cflags --libs orrery)
holds "and runs a backup to its end" sh -c "'$place/hello' | tee /dev/stderr | grep -qx 'result.watch: SUCCEEDED'"

# ---- a guest. In a sanitized build LuaJIT is linked as usual (AddressSanitizer refuses RTLD_DEEPBIND), under the names that a Lua of the
# host's has: there it has none, and everything else is looked at all the same.
if [ -z "$sanitized" ]; then guest_flags= guest_lua=lua5.4; else guest_flags="-fsanitize=address,undefined -DGUEST_WITHOUT_LUA" guest_lua=; fi
holds "the guest builds" gcc -Wall -Wextra -Werror -D_GNU_SOURCE $guest_flags -o "$place/guest" "$here/guest.c" \
  $(pkg-config --cflags --libs $guest_lua sqlite3 libcurl orrery) -pthread
timeout 400 "$place/guest" "$place/guest-data" "$prefix/libexec/orrery/orrery-runner" >"$place/guest.log" 2>&1
status=$?
passed=$((passed + $(grep -c '^ok ' "$place/guest.log")))
bad=$(grep -c '^not ok ' "$place/guest.log")
if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1 && echo "not ok the guest ended with $status"; fi
failed=$((failed + bad))
[ "$bad" -eq 0 ] || cat "$place/guest.log"

# ---- what it costs, in bounds that no load can break; a sanitized build costs what its sanitizers do
if [ -z "$sanitized" ]; then
  strip -o "$place/stripped" "$lib/liborrery.so"
  holds "the library has less than a megabyte" test "$(stat -c %s "$place/stripped")" -lt 1000000
  holds "the measure of the footprint builds" gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$place/footprint" "$here/footprint.c" $(pkg-config --cflags --libs orrery)
  "$place/footprint" "$place/full" fill 1000 && "$place/footprint" "$place/full" >"$place/cost"
  read -r ready private threads wakes <"$place/cost"
  echo "ready in $ready ms, $private KiB private, $threads threads, $wakes wake-ups/s"
  holds "an idle runtime has less than 8 MiB" test "$private" -lt 8192
  holds "an idle runtime has one thread more than the host" test "$threads" -eq 2
  holds "an idle runtime does not wake up" test "${wakes%.*}" -lt 1
fi

# ---- once is enough: the interface is that of the same sources, and the fuzzer builds them with AddressSanitizer itself
if [ -z "$sanitized" ]; then
  holds "the interface is what was promised" sh "$here/abi.sh" "$build"
  holds "a fuzzer finds nothing in 15 seconds" sh "$here/fuzz.sh" "$build" 15
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
