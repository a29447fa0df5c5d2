# PostgreSQL servers of a test's own; read with `. "${1%/*}/postgres.sh"` behind `. "$1"`.
#
# start_server FOLDER runs one on a free port of the loopback and on a Unix socket in $sockets, sets $port and $server (its pid), and gives it
# up to stop_server PID. sql PORT DATABASE asks as its superuser. Every user must give a password. Invariant: no server outlives the test.
# What PostgreSQL's own tools are called by is its folder of programs, $programs; links makes a folder of links to them, for wraps to change.
programs=$(dirname "$(readlink -f "$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)")")
export PGCONNECT_TIMEOUT=10
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE PGPASSFILE PGSSLMODE
root_password='admin of "it" all'
servers=
sockets=$(mktemp -d /tmp/orrery-pg.XXXXXX) # a socket's path has to be short

stop_server() {
  kill "-${2:-INT}" "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}
stop_all() {
  kill $(jobs -p) 2>/dev/null # the servers, too, but they would wait for who is logged in
  for one in $servers; do stop_server "$one" QUIT; done
  rm -rf "$sockets"
}
trap stop_all EXIT
trap 'exit 1' HUP INT TERM

# Without root, who must not run it. Says how the user may log in, and how the server proves who it is.
make_server() {
  echo "$root_password" >root.password
  "$programs/initdb" -D "$1" -U admin --pwfile=root.password -A scram-sha-256 -E UTF8 --locale=C.UTF-8 --no-sync >initdb.log || return 1
  openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=loopback -addext subjectAltName=IP:127.0.0.1 -keyout "$1/server.key" -out server.crt 2>/dev/null
  chmod 600 "$1/server.key"
  cp server.crt "$1/server.crt"
  { echo "hostnossl all careful 0.0.0.0/0 reject"; cat "$1/pg_hba.conf"; } >hba && mv hba "$1/pg_hba.conf"
  cat >>"$1/postgresql.conf" <<'CONF'
ssl = on
fsync = off
shared_buffers = 16MB
max_connections = 30
lc_messages = 'C'
CONF
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() { sql "$port" postgres -c "select 1" && kill -0 "$server"; }

start_server() {
  for attempt in 1 2 3; do # somebody may take the port meanwhile
    port=$(free_port)
    "$programs/postgres" -D "$1" -p "$port" -k "$sockets" -c listen_addresses=127.0.0.1 >>"$1.log" 2>&1 &
    server=$!
    servers="$servers $server"
    until_ok answers && return 0
    stop_server "$server" QUIT
  done
  echo "not ok the server starts"
  cat "$1.log"
  exit 1
}

# sql PORT DATABASE ARGS...: psql as the superuser.
sql() {
  sql_port=$1 sql_database=$2
  shift 2
  PGPASSWORD=$root_password "$programs/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$sockets" -p "$sql_port" -U admin -d "$sql_database" "$@"
}

# All that is in a database, in an order that does not depend on where it lies: contents PORT DATABASE.
contents() {
  sql "$1" "$2" -c "select case relkind when 'S' then 'last_value, is_called' else '*' end || format(' from %I.%I', n.nspname, c.relname)
    from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'm', 'v', 'S') and nspname !~ '^pg_|information' order by 1" >relations || return 1
  while read -r relation; do
    echo "== $relation"
    sql "$1" "$2" -c "copy (select $relation t order by row(t.*)::text collate \"C\") to stdout" </dev/null || return 1
  done <relations
  echo "== large objects"
  sql "$1" "$2" -c "select oid, lo_get(oid) from pg_largeobject_metadata order by oid" || return 1
  echo "== schema"
  PGPASSWORD=$root_password "$programs/pg_dump" -h "$sockets" -p "$1" -U admin -d "$2" --schema-only | grep -vE '^.(un)?restrict ' # a random word
}

links() { mkdir "$1" && ln -s "$programs"/* "$1"; }

# wrap FOLDER NAME: replaces that link by the script on standard input, in which $real is the program.
wrap() {
  rm "$1/$2"
  { printf '#!/bin/sh\nreal=%s\n' "$programs/$2"; cat; } >"$1/$2"
  chmod +x "$1/$2"
}
unwrap() { ln -sf "$programs/$2" "$1/$2"; }
