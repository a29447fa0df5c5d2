#!/bin/sh
# Builds every program of docs/examples against an installed Orrery and runs it: sh tests/embed/run.sh BUILD_DIR
#
# What is installed lies in a fresh prefix, and the examples are copied out of the tree, so that they find nothing but what is installed. Each backs something up, to
# its end. Other scripts of this folder look at the installed library itself. Ends with `N passed, N failed`.
set -u

here=$(CDPATH= cd "$(dirname "$0")" && pwd) || exit 1
build=$(CDPATH= cd "$1" && pwd) || exit 1
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
passed=0
failed=0

# holds WHAT COMMAND...: counts the command's success.
holds() {
  what=$1
  shift
  if "$@" >"$place/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok $what"
  else
    failed=$((failed + 1))
    echo "not ok $what"
    tail -n 30 "$place/out" | sed 's/^/    /'
  fi
}

prefix=$place/prefix
cmake --install "$build" --prefix "$prefix" >"$place/install.log" 2>&1 || { cat "$place/install.log"; echo "0 passed, 1 failed"; exit 1; }
lib=$(dirname "$(find "$prefix" -name liborrery.a)")
cp -r "$here/../../docs/examples" "$place/examples"
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"
flags="-Wall -Wextra -Werror"
python="env PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3"
if grep -q '^ORR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt"; then
  flags="$flags -fsanitize=address,undefined"
  python="env LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 $python" # Python's own never end
fi

# makes FOLDER: by CMake.
makes() {
  cmake -S "$place/examples/$1" -B "$place/made/$1" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" &&
    cmake --build "$place/made/$1"
}

# ends WORD COMMAND...: the command succeeds and has said so.
ends() {
  word=$1
  shift
  timeout 400 "$@" >"$place/said" 2>&1
  status=$?
  cat "$place/said"
  [ "$status" -eq 0 ] && grep -q "$word" "$place/said"
}

mkdir "$place/source" "$place/target"
echo "what is to be kept" >"$place/source/file"
data() { echo "$place/data/$1"; }

holds "c is built by CMake" makes c
holds "c/first packs a folder" ends "^SUCCEEDED, $place/target/first" "$place/made/c/first" "$(data first)" "$place/source" "$place/target"
holds "and what it packed is the folder" sh -c "tar -tf '$place'/target/first-*.tar.zst | grep -q file"
holds "c/first says what is wrong" sh -c "'$place/made/c/first' '$(data first)' / '$place/target' 2>&1 | grep -q \"backup.create: .*'first'\""
holds "c/hooks copies a file" ends "^the copy is gone" "$place/made/c/hooks" "$(data hooks)" "$place/source/file" "$place/target"
holds "c/hooks fails where there is no file" sh -c "! '$place/made/c/hooks' '$(data missing)' /nonexistent '$place/target'"
holds "c is built by make and pkg-config" make -C "$place/examples/c" CFLAGS="$flags $(pkg-config --cflags orrery libcjson)"
holds "c/hooks of make copies a file" ends "^the copy is gone" "$place/examples/c/hooks" "$(data made)" "$place/source/file" "$place/target"
holds "loops are built" makes loops
for name in epoll libuv glib thread; do holds "loops/$name runs a backup to its end" ends "^it ended SUCCEEDED" "$place/made/loops/$name"; done
holds "cpp is built" makes cpp
holds "cpp/backup copies a file" ends "^the copy is gone" "$place/made/cpp/backup" "$(data cpp)" "$place/source/file" "$place/target"
holds "cpp/backup says what is wrong" sh -c "'$place/made/cpp/backup' '$(data cpp)' x y 2>&1 | grep -q \"'copy'\""
holds "the package is installed by pip" /usr/bin/python3 -m pip install -q --no-index --no-build-isolation --no-deps --target "$place/site" "$place/examples/python"
export PYTHONPATH="$place/site"
cd "$place" || exit 1
holds "it brings its types" test -e "$place/site/orrery/py.typed"
holds "python/backup.py copies a file, by asyncio" ends "^not_found: no backup" $python "$place/examples/python/backup.py" "$(data python)" "$place/source/file" "$place/target"
holds "the package works without asyncio" $python "$here/plain.py" "$(data plain)"
holds "nothing is left in the target but what c/first has packed" sh -c "[ \$(ls '$place/target' | wc -l) = 1 ]"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
