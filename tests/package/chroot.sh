#!/bin/sh
# Installs the packages into a fresh Debian and uses them there: sh tests/package/chroot.sh DIRECTORY_OF_PACKAGES, as root.
#
# Root, because installing a package is root's; what Orrery does there it does as the user orrery. The system is made by mmdebstrap in a folder
# of its own under /var/tmp, with a mount and process namespace of its own, and is removed at the end. Nothing of it is started by an init system. Debian's mirrors are
# those that this machine's apt uses. Ends with `N passed, N failed`.
set -u

packages=$(cd "$1" && pwd) || exit 1
if [ "$(id -u)" -ne 0 ]; then echo "installing packages takes root"; echo "0 passed, 1 failed"; exit 1; fi
if [ "${2:-}" != --inside ]; then exec unshare --mount --pid --fork --kill-child --propagation unchanged sh "$0" "$packages" --inside; fi

place=$(mktemp -d /var/tmp/orrery-chroot.XXXXXX) || exit 1
root=$place/root
mount --make-rprivate / 2>/dev/null # where / is no mount of its own (we are in a chroot ourselves), what is mounted below is unmounted all the same
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
clean() {
  umount -q "$root/proc"
  # Never into anything that may still be mounted there.
  rm -rf --one-file-system "$place"
}
trap clean EXIT
trap 'exit 130' INT TERM
passed=0
failed=0

# holds WHAT COMMAND...: counts the command's success.
holds() {
  what=$1
  shift
  if "$@" >"$place/out" 2>&1 </dev/null; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "not ok $what"
    tail -n 30 "$place/out"
  fi
}
give_up() {
  echo "not ok $1"
  echo "$passed passed, $((failed + 1)) failed"
  exit 1
}

# ---- the system -------------------------------------------------------------------------------------------------------------

. /etc/os-release
apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
  awk -v suite="$VERSION_CODENAME" '{ uri = $(NF - 2); release = $(NF - 1); component = $NF; origin = NF > 3 ? $1 : "Debian" }
    origin ~ /^(Debian|\$\(ORIGIN\))$/ && component == "main" && release ~ "^" suite "(-updates|-security)?$" { print "deb", uri, release, component }' |
  sort -u >"$place/sources"
[ -s "$place/sources" ] || give_up "apt knows no Debian mirror"
apt-config dump Acquire | grep -iE 'proxy|retries|verify|cainfo|check-' >"$place/apt.conf"
mmdebstrap --mode=root --variant=apt --skip=cleanup/apt --aptopt="$place/apt.conf" "$VERSION_CODENAME" "$root" - <"$place/sources" >"$place/made" 2>&1 ||
  { tail -n 20 "$place/made"; give_up "a fresh Debian cannot be made"; }
cp "$place/apt.conf" "$root/etc/apt/apt.conf.d/90test"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing is started
chmod 755 "$root/usr/sbin/policy-rc.d"
mkdir "$root/packages"
cp "$packages"/*.deb "$root/packages/"
mount -t proc proc "$root/proc" || mount --bind /proc "$root/proc" || give_up "there is no /proc for the fresh Debian"

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# As the operator does it; sudo -u orrery is this and a log entry.
as_orrery() { inside setpriv --reuid=orrery --regid=orrery --init-groups env HOME=/var/lib/orrery "$@"; }
apt() { inside apt-get -q -y "$@"; }
says() { # says TEXT COMMAND...
  text=$1
  shift
  "$@" >"$place/said" 2>&1
  cat "$place/said"
  grep -qF -- "$text" "$place/said"
}
file() { inside sh -c 'for package in /packages/$1_*.deb; do echo "$package"; done' sh "$1"; }

# ---- installing -------------------------------------------------------------------------------------------------------------

holds "apt-get installs it" apt install "$(file orrery)"
holds "with what it recommends" inside sh -c "command -v restic zstd busted"
holds "the program runs" says "orrery " inside orrery --version
holds "there is the user orrery" says ":/var/lib/orrery:" inside getent passwd orrery
holds "who cannot log in" says nologin inside getent passwd orrery
holds "the data directory is theirs alone" says "700 orrery orrery" inside stat -c '%a %U %G' /var/lib/orrery
holds "the service is enabled" inside test -L /etc/systemd/system/multi-user.target.wants/orrery.service
holds "root is told whose the data is" says "sudo -u orrery orrery" inside orrery status
holds "and has made nothing there" says 0 inside sh -c "find /var/lib/orrery -mindepth 1 | wc -l"

# ---- using ------------------------------------------------------------------------------------------------------------------

serve() { # the unit's command line, by hand
  as_orrery sh -c "$(inside sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/orrery.service) >/tmp/serve.log 2>&1 & echo \$! >/tmp/serve.pid"
  tries=0
  until inside grep -q '"msg":"ready"' /tmp/serve.log; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { inside cat /tmp/serve.log; return 1; }
    sleep 0.1
  done
}
end_serve() {
  inside sh -c 'kill $(cat /tmp/serve.pid)'
  tries=0
  while inside sh -c 'kill -0 $(cat /tmp/serve.pid)' 2>/dev/null && [ "$tries" -lt 600 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  inside grep -q '"msg":"ended"' /tmp/serve.log
}
holds "the unit's command serves" serve
holds "doctor finds no problem" as_orrery orrery doctor
holds "a restic repository" as_orrery sh -c "printf sesame | orrery connection add vault --provider restic --password-stdin --set repository=/var/lib/orrery/repository"
holds "a Backup of the licences" as_orrery orrery backup create docs --provider restic --connection vault --set path=/usr/share/common-licenses
holds "restic backs them up" says SUCCEEDED as_orrery orrery backup run docs --wait
holds "and they come back as they were" as_orrery sh -c '
  id=$(orrery result ls --json | sed "s/.*\"uuid\":\"\([^\"]*\)\".*/\1/")
  orrery result extract "$id" --to /var/lib/orrery/back/ && file=$(find /var/lib/orrery/back -name GPL-3) && cmp "$file" /usr/share/common-licenses/GPL-3'
holds "root speaks with the service" says "1 Backup" inside orrery status
holds "it ends" end_serve

# ---- updating, removing -----------------------------------------------------------------------------------------------------

newer() { # the same package with a later version
  deb=$(file orrery)
  dpkg-deb -R "$root$deb" "$place/newer" && sed -i 's/^Version: .*/&+later/' "$place/newer/DEBIAN/control" && dpkg-deb -b "$place/newer" "$root/packages/newer.deb"
}
holds "a later version can be made" newer
holds "it updates" apt install /packages/newer.deb
holds "to that version" says "+later" inside dpkg-query -W -f '${Version}' orrery
holds "and keeps the data" says SUCCEEDED as_orrery orrery result ls
holds "going back and over itself works, too" apt install --allow-downgrades --reinstall "$(file orrery)"
inside sh -c 'echo "# mine" >>/etc/default/orrery'
holds "removing works" apt remove orrery
holds "it takes the program" sh -c "test ! -e '$root/usr/bin/orrery' && test ! -e '$root/usr/lib/systemd/system/orrery.service'"
holds "leaves the data and the key" inside test -s /var/lib/orrery/orrery.db -a -s /var/lib/orrery/secret.key
holds "and the options" grep -q mine "$root/etc/default/orrery"
holds "installing again works" apt install "$(file orrery)"
holds "and finds its Backups and their secrets" says SUCCEEDED as_orrery orrery backup run docs --wait
holds "the library installs beside it" apt install "$(file liborrery0)"
holds "and is found" says liborrery.so.0 inside ldconfig -p
holds "what building with it takes can be installed" apt install --simulate "$(file liborrery-dev)"
holds "purging works" apt purge orrery liborrery0
holds "it takes the data, the options and the key" sh -c "test ! -e '$root/var/lib/orrery' && test ! -e '$root/etc/default/orrery'"
holds "and what enabled the service" sh -c "! find '$root/etc/systemd' '$root/var/lib/systemd' -name 'orrery*' | grep ."

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
