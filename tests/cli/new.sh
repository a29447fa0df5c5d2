. "$1" # provider new: what it makes works at once, and nothing that is there is touched.

run provider new acme-cloud
ok "a provider is made" exits 0
ok "and the next commands are told" says "orrery provider test ./acme-cloud"
for file in init.lua spec/acme-cloud_spec.lua README.md .luarc.json .luacats/orrery.lua .luacats/libraries.lua .luacats/test.lua; do
  ok "with $file" test -s "acme-cloud/$file"
done
ok "all of it is filled in" not grep -rq "@[A-Z]*@" acme-cloud
ok "with a name for people" grep -q 'name = "Acme Cloud"' acme-cloud/init.lua
ok "and settings that are JSON" python3 -c 'import json; json.load(open("acme-cloud/.luarc.json"))'
run provider check ./acme-cloud
ok "it passes its check" exits 0
cksum acme-cloud/* acme-cloud/*/* acme-cloud/.l* 2>/dev/null >before
run provider new acme-cloud
ok "what is there is not made again" exits 2
ok "in one line that says so" test "$(wc -l <err)" = 1
cksum acme-cloud/* acme-cloud/*/* acme-cloud/.l* 2>/dev/null >after
ok "and is not touched" cmp -s before after
touch single.lua
run provider new single
ok "nor beside a file of that name" exits 2
ln -s nowhere link
run provider new link
ok "nor through a link that leads nowhere" exits 2
run provider new acme --to nothere
ok "a folder that is not there exits 4" exits 4
mkdir there
run provider new acme --to there --json
ok "it is made where it is wanted" test -s there/acme/init.lua
ok "and JSON says where" json "r['success'] and r['path'].endswith('/there/acme')"
for bad in "" "a/b" ".." "-x" "a b" "ä"; do
  run provider new -- "$bad"
  ok "'$bad' is no name" exits 2
done
if [ "$(id -u)" != 0 ]; then
  mkdir closed
  chmod 500 closed
  run provider new acme --to closed
  ok "where nothing may be written that is said" complains "closed"
  ok "and it exits 1" exits 1
  chmod 700 closed
fi
ok "nothing half made is left" test -z "$(ls -A | grep '\.new$')"


# Busted is what specs are run by; without it there is nothing to say.
run provider test ./acme-cloud
case $err in *lua-busted*) echo "skip busted is not installed"; exit 0 ;; esac
ok "its spec is green at once" exits 0
ok "all of it" says " passed, 0 failed"
