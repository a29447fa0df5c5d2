. "$1" # The example of docs/testing.md, with the provider of README.md: it runs as it is printed.

top=$(cd "$kit/../.." && pwd)
# The first Lua block of $1 in which $2 stands.
block() { awk -v word="$2" '/^```lua$/ { inside = 1; text = ""; next } /^```$/ && inside { inside = 0; if (index(text, word)) { printf "%s", text; exit } } inside { text = text $0 "\n" }' "$1"; }
mkdir -p example/acme/spec
block "$top/README.md" 'code = "acme"' >example/acme/init.lua
block "$top/docs/testing.md" 'describe("acme"' >example/acme/spec/acme_spec.lua
run provider test example/acme
ok "the example passes" exits 0
ok "all of it" says "4 passed, 0 failed"
sed -i 's/key = backupResult.uuid/key = uuid.new()/' example/acme/init.lua
run provider test example/acme
ok "with a key that is another one each time it fails" exits 1
ok "at the step where it matters" says "died in call 1 (POST https://acme.test/jobs was processed, its answer never came): 2 external jobs where a run without a death starts 1"
