. "$1" # `orrery provider test`: what it runs, what it prints, how it ends.

run provider test "$acme"
ok "all passed is 0" exits 0
ok "each test is a line" says "ok      acme takes six hours"
ok "and there is a count" says "2 passed, 0 failed"
run provider test "$acme/init.lua"
ok "the provider's file stands for its specs" says "2 passed"
run provider test "$acme/spec/acme_spec.lua"
ok "so does the spec" says "2 passed"
mkdir many
cp "$acme/init.lua" many/acme.lua
cp "$acme/spec/acme_spec.lua" many/
cp -r "$acme" many/other
sed 's/"acme"/"other"/' "$acme/init.lua" >many/other/init.lua
run provider test many
ok "a folder of providers is all of theirs" says "4 passed, 0 failed"
run provider test many/acme.lua
ok "a provider in one file has its spec beside it" says "2 passed, 0 failed"
run --providers many provider ls --quiet --setting store=memory
ok "a spec is no provider" not says acme_spec
ok "and does not stand in the way of one" says other

run provider test "$acme" --filter "six hours"
ok "a filter picks tests" says "1 passed, 0 failed"
run provider test "$acme" --filter "["
ok "a filter that is no pattern exits 2" exits 2
ok "with what is wrong with it" complains "--filter: malformed pattern"
run provider test "$acme" --filter "no such test"
ok "a filter that finds none exits 4" exits 4
ok "and says so" complains "no test was run: --filter finds none"
run provider test "$acme" --junit nothere/report.xml
ok "a report that cannot be written exits 1" exits 1
ok "before anything is run" test -z "$out"
ok "in a line that names it" complains "--junit: nothere/report.xml: No such file"
cp "$acme/spec/acme_spec.lua" kept_spec.lua
: >"$acme/spec/acme_spec.lua"
run provider test "$acme"
ok "specs without a test exit 4" exits 4
ok "which is said" complains "there is none in these specs"
echo 'it("ends", function() os.exit(0) end)' >"$acme/spec/acme_spec.lua"
run provider test "$acme"
ok "a spec that ends the process has failed" exits 1
ok "and is told what else to do" says "acme_spec.lua:1: os.exit does not end a spec; an error or an assertion does"
mv kept_spec.lua "$acme/spec/acme_spec.lua"
run provider test "$acme" --tap --junit report.xml
ok "TAP has its plan" says "1..2"
ok "and its lines" says "ok 1 - acme takes six hours"
ok "JUnit goes into its file" grep -q "<testcase .*name='acme takes six hours'" report.xml
ok "which counts" grep -q "tests='2'" report.xml

cat >"$acme/spec/wrong_spec.lua" <<'LUA'
local test = require "orrery.test"
describe("wrong", function()
  it("expects another end", function() assert.result(test.run.backup {}).failed("no such policy") end)
  it("misspells", function() test.run.backup { opions = {} } end)
  it("has a fault", function() local nothing = nil; return nothing.field end)
  it("leaves a runtime", function() leftOver = assert(require("orrery.runtime").open()) end)
end)
LUA
run provider test "$acme"
ok "one that fails is 1" exits 1
ok "all of them are tried" says "2 passed, 4 failed"
ok "a failure has file and line" says "wrong_spec.lua:3: the result should have FAILED with 'no such policy', but it is SUCCEEDED"
ok "and the journal" says "06:00:00.000  refreshBackupResult    success"
ok "a misspelt key gets the list" says "wrong_spec.lua:4: run.backup: no 'opions'; there are: cloud, config"
ok "an error has its line" says "wrong_spec.lua:5: attempt to index local 'nothing'"
ok "what is left over fails the test" says "wrong_spec.lua:6: 1 runtime was opened and not closed"
run provider test "$acme" --tap
ok "TAP says so, too" says "not ok"
ok "with the same exit" exits 1
rm "$acme/spec/wrong_spec.lua"

echo 'describe("x", function(' >"$acme/spec/broken_spec.lua"
run provider test "$acme"
ok "a spec that does not load fails" exits 1
ok "with its line" says "broken_spec.lua:2:"
ok "and keeps no other from running" says "2 passed, 1 failed"
rm "$acme/spec/broken_spec.lua"
echo "oops" >>"$acme/init.lua"
run provider test "$acme"
ok "a provider that does not load fails its tests" says "acme_spec.lua:5: the Backup was not created: provider 'acme': acme/init.lua:"

run provider test nowhere
ok "no such path exits 4" exits 4
ok "and says so in one line" complains "no such file or folder: $PWD/nowhere"
mkdir empty
run provider test empty
ok "no spec exits 4" exits 4
ok "and tells what they are called" complains "no specs for empty: they are called NAME_spec.lua"
run provider test
ok "no path exits 2" exits 2
LUA_PATH="$PWD/nowhere/?.lua" run provider test "$acme"
ok "without busted it exits 1" exits 1
ok "in one line that says what to install" complains "busted is not installed, which runs the specs: apt install lua-busted"
ok "and no more" test "$(wc -l <err)" = 1
