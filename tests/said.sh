# What every shell test says and asks; read by the helpers of a folder, which define `o`, the way to run orrery there.

# run ARGS... keeps $status, $out and $err.
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
    printf '  # status %s\n  # out: %.600s\n  # err: %.600s\n' "${status:-}" "${out:-}" "${err:-}"
  fi
}

exits() { [ "$status" -eq "$1" ]; }
says() { case $out in *"$1"*) ;; *) return 1 ;; esac; }
complains() { case $err in *"$1"*) ;; *) return 1 ;; esac; }
not() { ! "$@"; }

# Waits for a command to succeed, at least half a minute: a limit against hanging.
until_ok() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || return 1
    sleep 0.1
  done
}

# What a test started ends with it. (In a command substitution dash knows of no jobs.)
started=$PWD/started.pids
trap 'jobs -p >"$started"; kill $(cat "$started") 2>/dev/null' EXIT
