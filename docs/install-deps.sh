#!/bin/sh
# Installs what is missing of Debian's packages: sh docs/install-deps.sh build|test
#
# build: what it takes to build and to run the quickstart. test: that, and what the tests need. Nothing is installed
# or asked for where everything is there. Not on Debian 12, or without a way to install: prints the list and exits 2.
# These lists are the only place where packages are named.
set -u

build="gcc libc6-dev cmake ninja-build pkg-config libluajit-5.1-dev libcurl4-openssl-dev libssl-dev libcjson-dev
  libuv1-dev libsqlite3-dev libsodium-dev ca-certificates tzdata restic tar zstd"
test="abigail-tools g++ clang ccache dpkg-dev file fish git groff-base libcmocka-dev libglib2.0-dev liblua5.4-dev lua-busted man-db mandoc mmdebstrap openssl postgresql-15
  procps python3 python3-pip python3-setuptools python3-wheel sqlite3 systemd util-linux zsh"

case ${1:-} in
  build) wanted=$build ;;
  test) wanted="$build $test" ;;
  *) echo "usage: sh docs/install-deps.sh build|test" >&2; exit 2 ;;
esac

say() { echo "$@" | fold -s -w 100; }
give_up() {
  say "$1. These packages, by their names in Debian 12, must be there:" >&2
  say $wanted >&2
  exit 2
}

system=$(. /etc/os-release 2>/dev/null && echo "${ID:-?} ${VERSION_ID:-?}")
[ "$system" = "debian 12" ] || give_up "This system is not Debian 12 but ${system:-unknown}"

missing=
for package in $wanted; do
  case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
    installed) ;;
    *) missing="$missing $package" ;;
  esac
done
if [ -z "$missing" ]; then
  echo "all packages are installed already"
  exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || give_up "Packages are missing and there is neither root nor sudo"
  as_root=sudo
fi
say "installing$missing"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# Debian's PostgreSQL makes and starts a server when it is installed; the tests start their own. This file is there only meanwhile.
no_cluster=/etc/postgresql-common/createcluster.d/orrery.conf
case "$missing" in
  *postgresql*)
    trap 'rm -f "$log"; $as_root rm -f "$no_cluster"' EXIT
    trap 'exit 130' INT TERM
    $as_root mkdir -p "${no_cluster%/*}"
    echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
    ;;
esac
install() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing </dev/null >"$log" 2>&1
}
# Without package lists, or with stale ones, the first try fails; fresh lists are fetched only then.
install || { $as_root apt-get update -q </dev/null >"$log" 2>&1; install; } || {
  tail -n 20 "$log" >&2
  echo "apt-get could not install$missing" >&2
  exit 1
}
