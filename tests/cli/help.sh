. "$1" # --help everywhere, and that what it shows as examples works: each is carried out in a prepared data directory.

run --help
ok "--help lists commands" says "backup create NAME"
ok "and global options" says "--data DIR"
ok "and examples" says "orrery backup run docs --wait"
o -h >short
ok "-h is --help" cmp -s short out
o help >long
ok "help is --help" cmp -s long out
run backup --help
ok "--help of a noun says what it is" says "What is backed up"
ok "--help of a noun has examples" says "orrery backup run docs --wait"
run help backup run
o backup run --help >other
ok "help NOUN VERB is NOUN VERB --help" cmp -s out other
o backup run x --nonsense --help >other 2>&1
ok "also among other words" cmp -s out other
run help set
ok "help set has examples" says "key=@file"
run help backup rnu
ok "help of a misspelt command exits 2" exits 2
ok "with the nearest" complains "did you mean 'run'?"
run bakcup --help
ok "a misspelt noun, too" complains "did you mean 'backup'?"
ok "it goes to standard error" test ! -s out
o --help | awk 'length > 120' >out
ok "no line is longer than 120" test ! -s out
script -qec "stty cols 60; '$ORRERY' backup create --help" typescript >/dev/null
ok "on a narrow terminal words are broken" sh -c "! tr -d '\r' <typescript | sed '/^Script/d; /^Examples/,/^$/d' | grep -q '.\{61,\}'"
ok "nothing of that has opened a data directory" test ! -e "$data"

# The providers of the examples, as far as the examples need them.
for code in archive restic; do
  sed "s/code = \"nap\", name = \"Nap\"/code = \"$code\", name = \"Stand-in\", connectionOptionTypes = { { fieldName = \"repository\", inputType = \"text\" } }/
    s/required = true/defaultValue = 0.3/; s/{ fieldName = \"ends\", inputType = \"text\" },/&{ fieldName = \"path\", inputType = \"text\" }, { fieldName = \"target\", inputType = \"text\" }, { fieldName = \"exclude\", inputType = \"text\" },/" \
    providers/nap.lua >providers/$code.lua
done
sed -i 's/^return provider/function provider.listBackupResults() return ServiceResponse.success {} end\n&/' providers/restic.lua
cp providers/nap.lua my-provider.lua
sed -i 's/code = "nap"/code = "my-provider"/' my-provider.lua
mkdir my-provider acme
cp my-provider.lua my-provider/init.lua
sed 's/code = "nap"/code = "acme"/' providers/nap.lua >acme/init.lua
mkdir acme/spec
echo 'it("starts one job, wherever it dies", function() assert.is_table(require("orrery.test").run) end)' >acme/spec/acme_spec.lua
echo '{ "backupResult": { "config": { "wake": 0 } } }' >result.json
cat >providers/maybe.lua <<'LUA'
local provider = Provider { apiVersion = 1, code = "maybe", name = "Does not know", version = "1", needs = { http = { "http://127.0.0.1:1" } } }
function provider.createBackup(backup, opts) pcall(http.post, { url = "http://127.0.0.1:1/" }) error("who knows") end
function provider.executeBackup(backup, backupResult) return true end
return provider
LUA
printf secret >restic.key

mkdir bin restored
cat >bin/orrery <<WRAP
#!/bin/sh
exec "$ORRERY" "\$@" --data "\$ORRERY_TEST_DATA" --providers "$providers" --setting shipped_providers=false
WRAP
printf '#!/bin/sh\necho secret\n' >bin/pass
chmod +x bin/*
PATH=$PWD/bin:$PATH

# A directory with what the examples speak of: vault, aws, web1, docs, home, and a result of docs that has ended. Each example has a copy of it.
prepare() {
  export ORRERY_TEST_DATA="$PWD/fresh"
  orrery connection add vault --provider restic --set repository=/srv/restic
  orrery cloud add aws
  orrery server add web1
  orrery backup create docs --provider archive
  orrery backup create home --provider restic --schedule "0 2 * * *" --connection vault
  orrery backup run docs --wait
  made=$(orrery result ls --quiet | head -n 1)
}
cp providers/restic.lua restic.good
sha_of() { orrery provider show "$1" --json | sed 's/.*"sha256":"\([0-9a-f]*\)","loadedDate.*/\1/'; }
# What an example would make must not be there, and what it speaks of must be as it says.
adapt() {
  case $1 in
    *"connection add vault"* | *"connection rm vault"*) orrery backup rm home --yes --with-results; [ "${1#*connection add}" = "$1" ] || orrery connection rm vault --yes ;;
    *"cloud add aws"*) orrery cloud rm aws --yes ;;
    *"server add web1"*) orrery server rm web1 --yes ;;
    *"backup create docs"*) orrery backup rm docs --with-results --yes ;;
    *"backup create home"*) orrery backup rm home --with-results --yes ;;
    *"provider rollback"*) sha=$(sha_of restic); echo "-- another version" >>providers/restic.lua; orrery provider reload restic ;;
    *"provider forget"*) orrery backup rm home --yes --with-results; orrery connection rm vault --yes; rm providers/restic.lua ;;
    *"provider trust"*) sha_of restic; sed 's/read = {/read = { "\/srv",/' restic.good >providers/restic.lua
      sha=$(orrery provider reload restic 2>&1 | sed -n 's/.*provider trust restic \([0-9a-f]*\).*/\1/p' | head -n 1) ;;
    *"orphans rm"*) orrery result rm "$id" --force --yes ;;
    *"result retry"*) orrery backup create fails --provider archive --set ends=FAILED; orrery backup run fails --wait; id=$(orrery result ls --backup fails --quiet) ;;
    *"result export"*) mkdir "$ORRERY_TEST_DATA/recordings"; echo "{}" >"$ORRERY_TEST_DATA/recordings/$id.jsonl" ;;
    *"result cancel"*) orrery backup run docs --set seconds:=30; id=$(orrery result ls --quiet | head -n 1) ;;
  esac
}

o --help | sed -n '/^Commands:/,/^Options/s/^  \([a-z][a-z-]*\) \([a-z-]*\).*/\1 \2/p' >commands
prepare >prepared 2>&1
n=0 sha=
while read -r noun verb <&3; do
  o $noun $verb --help >help.txt
  exits=$(sed -n '/^Exit codes:/,/^$/s/^  \([0-9]*\) .*/\1/p' help.txt)
  sed -n '/^Examples:/,/^$/s/^  //p' help.txt >examples
  ok "$noun $verb has an example" test -s examples
  while IFS= read -r example <&4; do
    n=$((n + 1))
    cp -r fresh "d$n"
    export ORRERY_TEST_DATA="$PWD/d$n"
    id=$made
    adapt "$example" >prepared 2>&1
    case $example in
      *"backup resolve"* | *"result resolve"*) wanted="5" ;; # nothing waits here; resolve.sh has the real ones
      *"result retry"*) wanted=1 ;; # it fails again
      *) wanted=0 ;;
    esac
    printf '%s\n' "$example" | sed "s/3f2a/$id/; s/9c1d04ab/$sha/; s|/etc/restic.key|$PWD/restic.key|; s|/srv/orrery-copy|$PWD/copy$n|; s|./restored/|./restored/$n|; s|/var/lib/orrery|$PWD/d$n|; s|>~|>$PWD/made-by-example # |" >example.sh
    case $example in *" serve" | *" serve "* | *events*follow* | *provider*dev*) limit=5 goes_on=yes ;; *) limit=120 goes_on= ;; esac
    timeout $limit sh example.sh >out 2>err </dev/null
    status=$? out=$(cat out) err=$(cat err)
    case $goes_on$status in yes124) status=0 ;; esac # until it is ended
    ok "works: $example" test "$status" = "$wanted"
    case " $(echo $exits) " in *" $status "*) ;; *) echo "not ok $noun $verb does not list its exit code $status" ;; esac
    rm -rf "d$n"
    cp restic.good providers/restic.lua
  done 4<examples
done 3<commands
