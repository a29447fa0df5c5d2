# What every test of a shipped provider has; read with `. "$1"` as its first line.
#
# o ARGS... runs orrery on the data directory ./data, run ARGS... keeps $status, $out and $err, and field NAME reads the
# JSON in $out. Tools that must be slow or missing are put in ./bin, which is first in PATH, or $tools, the PATH that
# orrery gets, is changed for a while.
data=$PWD/data
mkdir bin source source/sub
system_path=$PATH
PATH=$PWD/bin:$PATH
echo one >source/one
echo two >source/sub/two
echo "a b" >"source/a name with blanks"

# What a test started ends with it.
trap 'kill $(jobs -p) 2>/dev/null' EXIT

tools=$PATH # what orrery has as PATH

o() { PATH=$tools "$ORRERY" --data "$data" "$@"; }

# The same for the background: with exec, $! is the program's own pid.
later() { exec "$ORRERY" --data "$data" "$@"; }

run() {
  o "$@" >"$PWD/out" 2>"$PWD/err"
  status=$?
  out=$(cat "$PWD/out")
  err=$(cat "$PWD/err")
}

# ok WHAT COMMAND...: says whether the command succeeds.
ok() {
  what=$1
  shift
  if "$@" >/dev/null; then
    echo "ok $what"
  else
    echo "not ok $what"
    printf '  # status %s\n  # out: %s\n  # err: %s\n' "${status:-}" "${out:-}" "${err:-}"
  fi
}

exits() { [ "$status" -eq "$1" ]; }
says() { case $out in *"$1"*) ;; *) return 1 ;; esac; }
complains() { case $err in *"$1"*) ;; *) return 1 ;; esac; }
not() { ! "$@"; }
is() { [ "$1" = "$2" ]; }

# The first member of that name in $out, text without its quotes.
field() { printf '%s\n' "$out" | grep -o "\"$1\":\(\"[^\"]*\"\|[^,}]*\)" | head -n 1 | sed 's/^[^:]*://; s/^"//; s/"$//'; }
ended() { [ "$(field status)" = "$1" ]; }
same() { diff -r "$1" "$2"; }

# Waits up to 20 s for a command to succeed.
until_ok() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || return 1
    sleep 0.1
  done
}

# tool NAME: makes bin/NAME of the script on standard input, in which $real is the real one.
tool() {
  real=$(PATH=$system_path command -v "$1")
  { printf '#!/bin/sh\nreal=%s\n' "$real"; cat; } >"bin/$1"
  chmod +x "bin/$1"
}

# The programs that orrery finds from now on, until tools=$PATH.
only() {
  mkdir -p only && rm -f only/*
  for one in "$@"; do ln -s "$(PATH=$system_path command -v "$one")" only/; done
  tools=$PWD/only
}

# The newest result, as $out.
newest() { run result ls --limit 1 --json; }
