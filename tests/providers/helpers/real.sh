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

. "$(dirname "$1")/../../said.sh"

tools=$PATH # what orrery has as PATH

o() { PATH=$tools "$ORRERY" --data "$data" "$@"; }

# The same for the background: with exec, $! is the program's own pid.
later() { exec "$ORRERY" --data "$data" "$@"; }

is() { [ "$1" = "$2" ]; }

# The first member of that name in $out, text without its quotes.
field() { printf '%s\n' "$out" | grep -o "\"$1\":\(\"[^\"]*\"\|[^,}]*\)" | head -n 1 | sed 's/^[^:]*://; s/^"//; s/"$//'; }
ended() { [ "$(field status)" = "$1" ]; }
same() { diff -r "$1" "$2"; }

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
