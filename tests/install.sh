#!/bin/sh
# Installs a build into a fresh prefix and uses it from there as others would: sh tests/install.sh BUILD_DIR
#
# What is installed must work where it lies, so the prefix is another one than the build was configured for. Ends with
# `N passed, N failed`.
set -u

source=$(cd "$(dirname "$0")/install" && pwd) || exit 1
build=$(cd "$1" && pwd) || exit 1
place=$(mktemp -d) || exit 1
trap 'rm -rf "$place"' EXIT
prefix=$place/prefix
passed=0
failed=0

# holds WHAT COMMAND...: counts the command's success.
holds() {
  what=$1
  shift
  if "$@" >"$place/out" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "not ok $what"
    head -n 30 "$place/out"
  fi
}

holds "cmake installs it" cmake --install "$build" --prefix "$prefix"
lib=$(dirname "$(find "$prefix" -name liborrery.a)")
for file in bin/orrery libexec/orrery/orrery-runner include/orrery.h; do holds "$file is there" test -s "$prefix/$file"; done
for file in liborrery.so liborrery.a pkgconfig/orrery.pc cmake/Orrery/OrreryConfig.cmake; do holds "$file is there" test -s "$lib/$file"; done
for name in restic archive command; do holds "provider $name is there" test -s "$prefix/share/orrery/providers/$name.lua"; done

for name in postgres digitalocean upcloud nutanix-prism rubrik-vmware; do holds "provider $name is there" test -s "$prefix/share/orrery/providers/$name/init.lua"; done
for readme in "$source"/../../providers/*/README.md; do
  holds "${readme#*/../} is there" test -s "$prefix/share/orrery/providers/$(basename "$(dirname "$readme")")/README.md"
done
holds "no specs are" test -z "$(find "$prefix/share/orrery/providers" -name '*_spec.lua' -o -name spec)"
for name in orrery libraries test; do holds "the editor's $name is there" test -s "$prefix/share/orrery/luacats/$name.lua"; done
for file in man/man1/orrery.1 man/man1/orrery-backup.1 bash-completion/completions/orrery zsh/vendor-completions/_orrery \
  fish/vendor_completions.d/orrery.fish; do holds "$file is there" test -s "$prefix/share/$file"; done
if command -v man >/dev/null; then
  holds "man orrery-backup finds it" sh -c "MANPATH='$prefix/share/man' man -P cat orrery-backup | grep -q 'orrery backup create'"
fi

# Only the functions of orrery.h are exported, and all of them.
nm -D --defined-only "$lib/liborrery.so" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort >"$place/exported"
grep -E '^ORR_API' "$prefix/include/orrery.h" | grep -oE '\borr_[a-z_]+\(' | tr -d '(' | sort -u >"$place/declared"
holds "exactly orrery.h is exported" diff "$place/declared" "$place/exported"

grep -q '^ORR_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && flags="-fsanitize=address,undefined" || flags=
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"

# says PROGRAM [PROVIDERS]: it runs, and finds the providers.
says() { mkdir -p "$place/data" && "$1" "$place/data" ${2:-} >"$place/said" && grep -q '"restic"' "$place/said" && ! grep -q '"error":"' "$place/said"; }

holds "pkg-config finds it" sh -c "gcc -Wall -Wextra -Werror $flags '$source/uses_orrery.c' -o '$place/by_pkg_config' \$(pkg-config --cflags --libs orrery)"
holds "a program by pkg-config runs" says "$place/by_pkg_config"
if command -v g++ >/dev/null; then
  holds "orrery.h is C++, too" g++ -Wall -Wextra -Werror -fsyntax-only -I "$prefix/include" -x c++ "$source/uses_orrery.c"
fi
for static in OFF ON; do
  holds "find_package finds it, static $static" sh -c "cmake -S '$source' -B '$place/$static' -G Ninja -DCMAKE_PREFIX_PATH='$prefix' \
    -DSTATIC=$static -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS='$flags' && cmake --build '$place/$static'"
done
holds "a program by find_package runs" says "$place/OFF/uses_orrery"
# Linked into the program, the library lies elsewhere than what was installed with it, and must be told.
holds "a program with the static library runs" says "$place/ON/uses_orrery" "$prefix/share/orrery/providers"

unset LD_LIBRARY_PATH
holds "the installed command finds its providers" sh -c "'$prefix/bin/orrery' --data '$place/data' provider show restic"
holds "the installed command finds its runner" sh -c "
  mkdir -p '$place/from' '$place/to' && echo data >'$place/from/file' &&
  '$prefix/bin/orrery' --data '$place/data' backup create first --provider archive --set path='$place/from' --set target='$place/to' &&
  '$prefix/bin/orrery' --data '$place/data' backup run first --wait"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
