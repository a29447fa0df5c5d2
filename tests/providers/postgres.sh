. "$1" # postgres: dumps and copies of clusters, restored and compared, and what may be wrong with them
if [ "$(id -u)" -eq 0 ]; then echo "skip postgres: its server does not run as root"; exit 0; fi
. "${1%/*}/postgres.sh"

make_server main
start_server "$PWD/main"
main=$server main_port=$port
mkdir side
printf '%s\n' 'hush "hush" $1 %s \' >password
sql $port postgres -v password="$(cat password)" -v side="$PWD/side" <<'SQL'
create role keeper login replication password :'password';
create role careful login replication password :'password';
create role reader login password :'password';
create database shop owner keeper;
create tablespace side owner keeper location :'side';
SQL
{
  echo 'set role keeper;'
  cat <<'SQL'
create type mood as enum ('sad', 'glad');
create table people (id serial primary key, name text not null, note text, born timestamptz, worth numeric(12, 3), photo bytea, tags text[], doc jsonb, mood mood,
  upper text generated always as (upper(name)) stored);
insert into people (name, note, born, worth, photo, tags, doc, mood)
  select 'Zoë 日本 😀 ' || g, case when g % 3 > 0 then E'tab\t line\n back\\slash ' || repeat('x', g % 50) end, '2026-03-29 01:30:00+00'::timestamptz + g * interval '1 hour',
    g / 7.0, decode(md5(g::text) || repeat('00', g % 20), 'hex'), array['a', null, 'b"c' || g], jsonb_build_object('n', g, 'ü', 'ß'), case when g % 2 = 0 then 'glad'::mood end
  from generate_series(1, 12000) g;
create table orders (id int generated always as identity, person int not null references people, at date, primary key (id, at)) partition by range (at);
create table orders_early partition of orders for values from ('2026-01-01') to ('2026-07-01');
create table orders_late partition of orders for values from ('2026-07-01') to ('2027-01-01') tablespace side;
insert into orders (person, at) select 1 + g % 12000, '2026-01-01'::date + g % 360 from generate_series(1, 15000) g;
create table "Odd ""Name" ("a b" int, "ü" text);
insert into "Odd ""Name" values (1, '\N'), (2, null), (3, '');
create table empty (nothing int);
create sequence bills start 100 increment 7;
select setval('bills', 1234, true) \g /dev/null
create function worth_of(text) returns numeric language sql stable as 'select sum(worth) from people where name like $1';
create view glad as select id, name, worth_of(name) from people where mood = 'glad' and id < 50;
create materialized view counts as select mood, count(*) from people group by mood;
select lo_from_bytea(4711, repeat('large ', 300000)::bytea), lo_from_bytea(4712, '\x00ff00'), lo_create(4713) \g /dev/null
SQL
} | sql $port shop
contents $port shop >original
ok "there is something to compare" test "$(wc -l <original)" -gt 27000

o connection add db --provider postgres --set host=127.0.0.1 --set port=$port --set username=keeper --set password=@password >/dev/null
new() { name=$1; shift; run backup create "$name" --provider postgres "$@"; }

run connection add other --provider postgres
ok "host and user are required" sh -c 'grep -q "host: .* is required" err && grep -q "username: .* is required" err'
new shop --connection db --set target=here --set compression=12
ok "a target that is not absolute" complains "target: must be an absolute path, not 'here'"
ok "a dump of nothing" complains "database: is required for mode=dump"
ok "a compression that there is not" complains "compression: must be 0 to 9, not 12"
ok "that is exit 2" exits 2
new shop --connection db --set target="$PWD/kept" --set database=shop --set mode=tar
ok "a mode that there is not" complains "mode: "
new shop --connection db --set target="$PWD/kept" --set database=shoop
ok "a database that there is not" complains "database: there is no database shoop at 127.0.0.1:$port"
new shop --connection db --set target="$PWD/kept" --set database=shop
ok "a Backup is created" exits 0

run backup update shop --set target="$PWD/elsewhere"
ok "its target cannot be changed: older results lie there" complains "target"
run connection test db
ok "the connection works" says "PostgreSQL $("$programs/psql" --version | sed 's/.*) \([0-9.]*\).*/\1/') lets keeper in"

# ---- a dump ----
run backup run shop --wait --json
ok "a dump succeeds" ended SUCCEEDED
id=$(field uuid)
file=$(field resultPath)
ok "it lies in the target, by a name that has the result's" sh -c "case $file in $PWD/kept/shop-20*-$(printf %.8s "$id").dump) ;; *) exit 1 ;; esac"
ok "the name alone is the archive's" is "$(field resultArchive)" "${file##*/}"
ok "its size is the file's" is "$(field sizeInBytes)" "$(stat -c %s "$file")"
ok "nobody else may read it" is "$(stat -c %a "$file")" 600
ok "nothing else is left there" is "$(ls kept)" "${file##*/}"
entries=$("$programs/pg_restore" --list "$file" | grep -c '^[0-9]')
ok "the entries are counted" is "$(field entries)" "$entries"
ok "and told" is "$(field statusMessage)" "$entries entries, verified"
ok "its sessions are called by the result" is "$(field externalId)" "orrery-$id"
ok "nothing is marked sent: jobs can be started again" is "$(field sentDate)" null
sql $port postgres -c "create database again"
PGPASSWORD=$root_password "$programs/pg_restore" -h "$sockets" -p $port -U admin -d again --exit-on-error "$file"
ok "it can be restored" is $? 0
contents $port again >restored
ok "row by row it is the same" cmp original restored

run result extract "$id" --to copy --json
ok "extracted to a file" cmp "$file" copy
ok "with its digest" is "$(field sha256)" "$(sha256sum <copy | cut -d' ' -f1)"
mkdir there && run result extract "$id" --to there
ok "extracted to a folder, by its name" cmp "$file" "there/${file##*/}"
o result extract "$id" --to - >piped 2>/dev/null
ok "extracted to standard output" cmp "$file" piped
run result extract "$id" --to text.sql --opt format=sql
ok "extracted as SQL" grep -q "^COPY public.people" text.sql
run result extract "$id" --to nothing --opt format=xml
ok "extracted as something else: an error" complains "the only other format is sql"

odd="host=nowhere dbname='shop' \"x\""
new odd --connection db --set target="$PWD/kept" --set database="$odd"
ok "a database's name is nothing but a name" complains "there is no database host=nowhere dbname='shop'"
sql $port postgres -c "create database \"host=nowhere dbname='shop' \"\"x\"\"\" owner keeper"
new odd --connection db --set target="$PWD/kept" --set database="$odd"
run backup run odd --wait --json
ok "one with such a name can be dumped" sh -c "'$programs/pg_restore' --list '$(field resultPath)' | grep -F \"dbname: $(printf %s "$odd" | sed 's/"/\\"/g')\""
o backup rm odd --with-results --yes >/dev/null

# ---- a cluster ----
new all --connection db --set target="$PWD/kept" --set mode=cluster
run backup run all --wait --json
ok "the copy of a cluster succeeds" ended SUCCEEDED
copy=$(field uuid)
folder=$(field resultPath)
ok "its size is that of the files" test "$(field sizeInBytes)" -gt 20000000
ok "it says where recovery begins" sh -c "case '$(field snapshotId)' in ?*/?*/1) ;; *) exit 1 ;; esac"
ok "its label is the external id" grep -q "^LABEL: $(field externalId)$" "$folder/data/backup_label"
ok "nobody else may read it" is "$(stat -c %a "$folder")$(stat -c %a "$folder/data")" 700700
ok "what lies in its tablespace is beside it" test "$(find "$folder/tablespaces" -type f | wc -l)" -gt 0
ok "PostgreSQL finds it whole" "$programs/pg_verifybackup" --quiet "$folder/data"
run result extract "$copy" --to started/ --json
start_server "$PWD/started/data"
ok "a server starts on what was extracted" answers
ok "with the tablespace that was copied" is "$(sql $port postgres -c "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'side'")" "../../tablespaces/$(ls started/tablespaces)"
contents $port shop >copied
stop_server "$server"
ok "row by row it is the same" cmp original copied
rm -rf started
run result extract "$copy" --to all.tar.zst --json
ok "as a tar file it has a digest" is "$(field sha256)" "$(sha256sum <all.tar.zst | cut -d' ' -f1)"
ok "and its size" is "$(field sizeInBytes)" "$(stat -c %s all.tar.zst)"
mkdir untarred && tar -C untarred --zstd -xf all.tar.zst
ok "and holds the same" diff -r --no-dereference "$folder" untarred
rm -rf untarred all.tar.zst

# ---- by TLS ----
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=somebody -keyout other.key -out other.crt 2>/dev/null
with() { o connection add "$1" --provider postgres --set host=127.0.0.1 --set port=$main_port --set username=careful --set password=@password --set "$2" >/dev/null; }
with plain sslMode=disable
with trusting caCert=@server.crt
with deceived caCert=@other.crt
with unknown sslMode=verify-full
for name in plain deceived unknown; do
  new $name --connection $name --set target="$PWD/kept" --set mode=cluster
  run backup run $name --wait --json
  ok "$name: FAILED" ended FAILED
  ok "$name: with a reason" sh -c 'grep -qE "pg_hba.conf rejects connection|certificate verify failed" out'
done
new trusting --connection trusting --set target="$PWD/kept" --set mode=cluster
run backup run trusting --wait --json
ok "a certificate that is given is trusted, by each of the two sessions" ended SUCCEEDED
o result rm "$(field uuid)" --yes >/dev/null

# ---- nothing but its own is deleted ----
echo mine >kept/mine
mkdir precious && echo precious >precious/file
before=$(ls kept)
run result rm "$id" --yes
ok "a dump goes" test ! -e "$file"
ok "and nothing else" is "$(ls kept)" "$(printf '%s\n' "$before" | grep -vxF "${file##*/}")"
mv "$folder" moved && ln -s "$PWD/precious" "$folder"
run result rm "$copy" --yes
ok "where a link was put in its place" exits 0
ok "only the link goes" sh -c "[ ! -L '$folder' ] && [ -e precious/file ] && [ -e moved/data/PG_VERSION ]"
run backup run shop --wait --json
id=$(field uuid)
rm "$(field resultPath)"
run result rm "$id" --yes
ok "what is gone already is no error" exits 0
run backup run shop --wait --json
id=$(field uuid)
mv kept away
run result rm "$id" --yes
ok "without the target nothing is deleted" complains "there is no folder $PWD/kept: is it mounted?"
run backup run shop --wait --json
ok "nor begun" is "$(field errorMessage)" "there is no folder $PWD/kept, and there was one before: is it mounted?"
mv away kept
run backup rm shop --with-results --yes
ok "the Backup goes with its results" sh -c '! ls kept | grep shop-'

# ---- what goes wrong before anything is written ----
fails() { # NAME MESSAGE: the connection or Backup of that name ends so
  run backup run "$1" --wait --json
  ok "$1: FAILED" ended FAILED
  ok "$1: says why" is "$(field errorMessage)" "$2"
}
connect() { name=$1; shift; o connection add "$name" --provider postgres --set host=127.0.0.1 --set port=$main_port --set username=keeper --set password=@password "$@" >/dev/null
  new "$name" --connection "$name" --set target="$PWD/kept" --set database=shop; }
echo hush-hush >wrong.password
connect wrong --set password=@wrong.password
run connection test wrong
ok "wrong: the test says so" complains "wrong password for the user keeper at 127.0.0.1:$main_port"
fails wrong "wrong password for the user keeper at 127.0.0.1:$main_port"
o connection add nobody --provider postgres --set host=127.0.0.1 --set port=$main_port --set username=keeper >/dev/null
new nobody --connection nobody --set target="$PWD/kept" --set database=shop
fails nobody "the server at 127.0.0.1:$main_port wants a password, and the connection has none"
connect nowhere --set host="no such host"
fails nowhere "there is no host no such host"
connect socket --set host="$PWD/nothing"
fails socket "no server answers at $PWD/nothing:$main_port"
connect stray --set binDir="$PWD/nothing"
fails stray "$PWD/nothing/psql is not installed (Debian package postgresql-client)"
connect pinned --set tlsFingerprint=0123
ok "a fingerprint is not ignored" says "not checked: "
fails pinned "PostgreSQL's tools check no tlsFingerprint: give the certificate as caCert"
links tools
wrap tools pg_dump <<'SH'
echo "pg_dump (PostgreSQL) 14.2"
SH
connect old --set binDir="$PWD/tools"
major=$("$programs/psql" --version | sed 's/.*) \([0-9]*\).*/\1/')
fails old "pg_dump 14 is too old for PostgreSQL $major: install postgresql-client-$major, or set binDir"
rm tools/pg_verifybackup
new unverified --connection old --set target="$PWD/kept" --set mode=cluster
fails unverified "$PWD/tools/pg_verifybackup is not installed (Debian package postgresql-client)"
o connection add reader --provider postgres --set host=127.0.0.1 --set port=$main_port --set username=reader --set password=@password >/dev/null
new reader --connection reader --set target="$PWD/kept" --set mode=cluster
ok "a user without REPLICATION is told so at once" complains "mode: the user reader may not copy a cluster"
new reader --connection reader --set target="$PWD/kept" --set database=shop
fails reader "permission denied for table people"
ok "reader: and shows what the tool said" says "LOCK TABLE public.people"
sql $main_port postgres -c "grant pg_read_all_data to reader"
fails reader "permission denied for large object 4711"
sql $main_port shop -c "select lo_unlink(oid) from pg_largeobject_metadata" >/dev/null
run backup run reader --wait --json
ok "with pg_read_all_data a user can dump what has no large objects" ended SUCCEEDED
o result rm "$(field uuid)" --yes >/dev/null
o backup create gone --provider postgres --connection db --set target="$PWD/kept" --set database=again >/dev/null
sql $main_port postgres -c "drop database again"
fails gone "there is no database again at 127.0.0.1:$main_port"
new blocked --connection db --set target="$PWD/password" --set database=shop
ok "a target that is a file" complains "target: $PWD/password is no folder"
new blocked --connection db --set target="$PWD/locked" --set database=shop
mkdir locked && chmod 500 locked
run backup run blocked --wait --json
ok "a target that cannot be written: FAILED" ended FAILED
ok "says so" says "Permission denied"
ok "of all that nothing is left" is "$(ls kept)" mine
stop_server $main
fails all "no server answers at 127.0.0.1:$main_port"
new later --connection db --set target="$PWD/kept" --set database=shop
ok "a Backup can be created while its server is away" exits 0
ok "the password is in no file" not grep -rqsFf password data out err
