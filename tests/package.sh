#!/bin/sh
# Makes the Debian packages and looks at them without installing: sh tests/package.sh BUILD_DIR
#
# They are made in BUILD_DIR/package, since what goes to /usr is built for /usr. What installing them does, package/chroot.sh looks at: that
# takes root. Ends with `N passed, N failed`.
set -u

tree=$(cd "$(dirname "$0")/.." && pwd) || exit 1
made=$(mkdir -p "$1/package" && cd "$1/package" && pwd) || exit 1
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
  else
    failed=$((failed + 1))
    echo "not ok $what"
    tail -n 30 "$place/out"
  fi
}
launcher=
if command -v ccache >/dev/null; then launcher=ccache; fi
pack() {
  rm -f "$made"/*.deb
  cmake -S "$tree" -B "$made" -G Ninja -DCMAKE_C_COMPILER=gcc -DCMAKE_C_COMPILER_LAUNCHER=$launcher -DCMAKE_INSTALL_PREFIX=/usr -DORR_TESTS=OFF &&
    cmake --build "$made" && cd "$made" && cpack -G DEB
}
holds "cpack makes packages" pack
version=$(sed -n 's/^project(orrery VERSION \([0-9.]*\).*/\1/p' "$tree/CMakeLists.txt")
arch=$(dpkg --print-architecture)
triplet=$(gcc -print-multiarch)
for package in orrery liborrery0 liborrery-dev; do
  deb=$made/${package}_${version}_$arch.deb
  holds "$package is one of them" test -s "$deb"
  dpkg-deb -c "$deb" | awk '{ print $1, $2, substr($6, 2) }' >"$place/$package.list"
  dpkg-deb -f "$deb" >"$place/$package.control"
  holds "$package: everything is root's" sh -c "! grep -v ' root/root ' '$place/$package.list'"
  holds "$package: nobody else may write" sh -c "! grep -E '^-.{4}w|^-.{7}w|^d.{4}w|^d.{7}w' '$place/$package.list'"
  holds "$package: copyright" grep -q " /usr/share/doc/$package/copyright$" "$place/$package.list"
  holds "$package: changelog" grep -q " /usr/share/doc/$package/changelog.gz$" "$place/$package.list"
  dpkg-deb -e "$deb" "$place/$package.DEBIAN"
  for script in postinst prerm postrm; do
    [ ! -e "$place/$package.DEBIAN/$script" ] || holds "$package: $script is sound" sh -n "$place/$package.DEBIAN/$script"
  done
done
has() { holds "$1: $2" grep -qE " $2\$" "$place/$1.list"; }
for file in /usr/bin/orrery /usr/libexec/orrery/orrery-runner /usr/lib/systemd/system/orrery.service /usr/lib/sysusers.d/orrery.conf /etc/default/orrery \
  /usr/share/man/man1/orrery.1.gz /usr/share/man/man1/orrery-serve.1.gz /usr/share/bash-completion/completions/orrery \
  /usr/share/zsh/vendor-completions/_orrery /usr/share/fish/vendor_completions.d/orrery.fish; do has orrery "$file"; done
for file in "$tree"/providers/*; do
  case $file in *_spec.lua) continue ;; *.lua) has orrery "/usr/share/orrery/providers/$(basename "$file")" ;; *) has orrery "/usr/share/orrery/providers/$(basename "$file")/init.lua" ;; esac
done
holds "specs of providers stay in the tree" sh -c "! grep -q '_spec\.lua' '$place/orrery.list'"
has liborrery0 "/usr/lib/$triplet/liborrery.so.0"
for file in "/usr/lib/$triplet/liborrery.so" "/usr/lib/$triplet/liborrery.a" /usr/include/orrery.h "/usr/lib/$triplet/pkgconfig/orrery.pc" \
  "/usr/lib/$triplet/cmake/Orrery/OrreryConfig.cmake"; do has liborrery-dev "$file"; done
for library in libc6 libcurl4 libluajit-5.1-2 libsqlite3-0 libsodium23 libuv1 libssl3; do
  holds "orrery depends on $library" grep -qE "^Depends:.*[ ,]$library([ ,]|\$)" "$place/orrery.control"
done
holds "the service's options are a conffile" grep -qx /etc/default/orrery "$place/orrery.DEBIAN/conffiles"

# What is packed works where it lies, and what is compiled in says /usr.
mkdir "$place/root"
dpkg-deb -x "$made/orrery_${version}_$arch.deb" "$place/root"
program=$place/root/usr/bin/orrery
holds "the program runs" sh -c "'$program' --version | grep -qx 'orrery $version'"
holds "it finds its providers" "$program" --data "$place/data" provider show restic
holds "it has the paths of /usr" sh -c "grep -aq /usr/libexec/orrery/orrery-runner '$program' && ! grep -aq /usr/local/libexec '$program'"

# The service. Programs are looked for where they are installed, so the one above stands in.
unit=$place/orrery.service
sed "s|^ExecStart=/usr/bin/orrery |ExecStart=$program |" "$place/root/usr/lib/systemd/system/orrery.service" >"$unit"
holds "the unit runs the program" grep -q "^ExecStart=$program --data /var/lib/orrery serve" "$unit"
holds "systemd finds nothing wrong with the unit" sh -c "systemd-analyze verify --man=no '$unit' >'$place/verify' 2>&1 && ! grep . '$place/verify'"
exposure=$(systemd-analyze security --offline=true --no-pager "$unit" 2>"$place/security" | sed -n 's/.*Overall exposure level for orrery.service: \([0-9.]*\) .*/\1/p')
echo "exposure level of the unit: ${exposure:-unknown}"
holds "it is hardened" sh -c "cat '$place/security'; awk 'BEGIN { exit !(\"$exposure\" != \"\" && \"$exposure\" + 0 <= 2.5) }'"
for line in Type=notify KillMode=process User=orrery ProtectSystem=strict; do holds "the unit says $line" grep -qx "$line" "$unit"; done

# A build for another place makes none.
elsewhere() { ! (cd "$1" && cpack -G DEB -B "$place/wrong") && [ -z "$(find "$place/wrong" -name '*.deb' 2>/dev/null)" ]; }
holds "a build for another prefix makes no packages" elsewhere "$1"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
