. "$1" # Lists as people see them on a terminal of 80 columns, and as scripts get them.

cat >providers/say.lua <<'LUA'
local provider = Provider { apiVersion = 1, code = "say", name = "Says why", version = "1.0.0" }
function provider.executeBackup(backup, backupResult, executionConfig)
  if executionConfig.why then return false, executionConfig.why end
  backupResult.status, backupResult.sizeInBytes = "SUCCEEDED", 123456789
end
return provider
LUA

# columns N COMMAND...: what a terminal so wide shows, without colours and carriage returns.
columns() {
  wide=$1
  shift
  script -qec "stty cols $wide; '$ORRERY' --color never --data '$data' --providers '$providers' --setting shipped_providers=false $*" typescript >/dev/null </dev/null
  sed '/^Script /d' typescript | tr -d '\r' >out
  out=$(cat out)
}
# Every line of $out takes at most so many columns, East Asian wide characters counted twice.
fits() {
  python3 -c 'import sys, unicodedata
def width(s): return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in s)
sys.exit(any(width(line.rstrip("\n")) > int(sys.argv[1]) for line in open("out", encoding="utf-8")))' "$1"
}
# The column of a heading begins at the same place in every line that has something there.
aligned() {
  python3 -c 'import sys, unicodedata
def width(s): return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in s)
lines = [l.rstrip("\n") for l in open("out", encoding="utf-8")]
at = lines[0].index(sys.argv[1])
for line in lines[1:]:
  place = 0
  cells = []
  for c in line:
    cells.append((place, c)); place += width(c)
  before = [c for p, c in cells if p == at - 1]
  if before not in ([" "], []) or (place > at and not [1 for p, c in cells if p == at]): sys.exit(line)' "$1"
}

start_serve
for name in plain a-rather-long-name-of-a-backup-that-somebody-chose 数据库备份 "rocket 🚀" "$(printf 'e\314\201te\314\201')"; do
  o backup create "$name" --provider say >/dev/null
  o backup run "$name" >/dev/null
done
o backup run plain --set why="the connection to db.example.org:5432 was refused: is the server running, and does it accept connections from here?" >/dev/null 2>&1
o backup run 数据库备份 --set why="数据库连接失败：服务器没有响应，请检查网络连接并稍后再试，如果问题仍然存在请联系管理员" >/dev/null 2>&1
o backup create timed --provider say --schedule "0 $((($(date -u +%-H) + 12) % 24)) * * *" --tz UTC >/dev/null # not while this runs
over() { [ "$(o result ls --json | grep -o '"status":"\(SUCCEEDED\|FAILED\)"' | wc -l)" = 7 ]; }
until_ok over

columns 80 result ls
ok "80 columns are enough" fits 80
ok "columns stand under their headings" aligned STATUS
ok "also behind wide characters" aligned STARTED
ok "what went wrong stands in the line" says "the connection to db.exa"
ok "cut, where it is too long" says "…"
columns 80 backup ls
ok "80 columns are enough for Backups" fits 80
ok "their columns stand under their headings" aligned LAST
ok "a long name is cut, not what went wrong" says "a-rather-long-"
columns 50 result ls
ok "50 columns have the essential" says "STATUS"
ok "and leave out the rest" sh -c "! grep -q TOOK out"
columns 200 result ls
ok "200 columns have more" says "TOOK"
columns 80 --wide result ls
ok "--wide cuts nothing" says "does it accept connections from here?"
ok "and has more columns" says "TRIGGER"
columns 80 backup show plain
ok "the last result is a line" grep -Eq '^lastResult +[0-9a-f]{8} FAILED' out
id=$(o result ls --backup plain --limit 1 -q)
columns 80 result show $id --journal
ok "the journal is a story" grep -Eq '^[0-9:.]{12}  executeBackup' out

run result ls
ok "elsewhere than on a terminal nothing is cut" says "does it accept connections from here?"
run result ls --no-header
ok "--no-header has no headings" sh -c "! grep -q STATUS out"
ok "but all the rest" test "$(wc -l <out)" = 7
run result ls --quiet
ok "--quiet has whole ids" grep -Eqx '[0-9a-f]{8}-[0-9a-f-]{27}' out
ok "and nothing else" test "$(grep -Ecvx '[0-9a-f-]{36}' out)" = 0
run backup ls -q
ok "or names" grep -qx "rocket 🚀" out
run backup run plain -q --wait
ok "run --quiet says which result it is" grep -Eqx '[0-9a-f-]{36}' out
ok "and draws no progress" test ! -s err
run result ls --json
ok "JSON has everything" json 'len(r) == 8 and all(len(x["uuid"]) == 36 and "errorMessage" in x for x in r)'
o --json result ls --wide --quiet --no-header >other
ok "however tables look" cmp -s out other

# The page of the morning.
columns 80 status
ok "status fits into 80 columns" fits 80
ok "it says who serves" says "orrery serve 0."
ok "it counts the Backups by how they are" says "6 Backups: 4 well, 1 failed, 1 never ran"
ok "it names the next fires" says "1 schedule; next: timed in"
ok "it lists what failed last" says "Failed last:"
ok "with why" says "数据库连接失败"
echo "broken(" >providers/odd.lua
until_ok sh -c "'$ORRERY' --data '$data' provider ls | grep -q odd.lua"
run status
ok "and providers that do not load" says "odd.lua:2"
rm providers/odd.lua
end_serve
run status
ok "without serve that is the first line" test "$(head -n 1 out)" = "no \`orrery serve\` runs: nothing is scheduled or refreshed"
