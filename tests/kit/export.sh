. "$1" # A failure in production becomes a spec that fails; the provider is mended, and it passes. And what must not be in the cassette.

mkdir -p providers/acme/spec
cat >providers/acme/init.lua <<'LUA'
local provider = Provider { apiVersion = 1, code = "acme", name = "Acme", version = "1.0.0", idempotent = true, refreshInterval = 0.2,
  optionTypes = { { fieldName = "policy", inputType = "text" } }, needs = { http = { "${connection.serviceUrl}" } },
  connectionOptionTypes = { { fieldName = "serviceToken", inputType = "password", required = true } } }
local statuses = { running = "IN_PROGRESS", done = "SUCCEEDED" }
local function ask(b, method, path, body)
  return http.request { method = method, url = url.join(b.connection.serviceUrl, path), bearer = b.connection.serviceToken, json = body }
end
function provider.executeBackup(b, r)
  local reply = ask(b, "POST", "jobs", { key = r.uuid, policy = b:getConfigProperty("policy") }):json()
  r.externalId, r.status = reply.id, "IN_PROGRESS"
end
function provider.refreshBackupResult(r)
  local job = ask(r.backup, "GET", "jobs/" .. r.externalId):json()
  if not statuses[job.state] then return false, "Acme says it is " .. job.state end
  r.status = statuses[job.state]
end
return provider
LUA
cat >outside.py <<'PY'
import http.server, json
polls = {}
class Outside(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", "sid=cookie-of-the-session")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reply({"id": asked["key"][:8], "access_token": "issued-by-the-outside", "echo": self.headers["Authorization"]})
    def do_GET(self):
        polls[self.path] = polls.get(self.path, 0) + 1
        self.reply({"state": "running" if polls[self.path] < 3 else "complete"})
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
open("port", "w").write(str(server.server_port))
server.serve_forever()
PY
python3 outside.py &
outside=$!
until_ok test -s port
here() { "$ORRERY" --data data --providers providers --setting shipped_providers=false "$@"; }
o() { here "$@"; }

echo token-of-production | here connection add acme --provider acme --url "http://127.0.0.1:$(cat port)" --set serviceToken=- >/dev/null
here backup create b --provider acme --connection acme --set policy=gold >/dev/null
run backup run b --wait
ok "it fails in production" exits 1
id=$(here result ls --quiet | head -1)
run result export "$id" --cassette nothing.jsonl
ok "what was not recorded cannot be exported" exits 4
ok "and it is said how to record" complains "with the setting record_http=failures it is from now on"
ok "no file is made" test ! -e nothing.jsonl

exec 9>serve.out
"$ORRERY" --data data --providers providers --setting shipped_providers=false --setting record_http=failures serve >&9 2>&1 &
serve=$!
until_ok grep -q '"msg":"ready"' serve.out # asking with a command would make that the runtime, which records nothing
run backup run b --wait
ok "it fails while it is recorded" exits 1
id=$(here result ls --quiet | head -1)
run result export "$id" --cassette providers/acme/spec/failed.jsonl --spec providers/acme/spec/failed_spec.lua
ok "it is exported" exits 0
ok "and said what was written" complains "wrote providers/acme/spec/failed.jsonl and providers/acme/spec/failed_spec.lua"
run result export "$id" --cassette providers/acme/spec/failed.jsonl
ok "a file that is there stays" complains "failed.jsonl is there already"
run result export "$id" --cassette providers/acme/spec/again.jsonl --spec providers/acme/spec/failed_spec.lua
ok "so does a spec" complains "failed_spec.lua is there already"
ok "and no cassette without it is in the way of another try" test ! -e providers/acme/spec/again.jsonl
run result export "$id" --cassette elsewhere.jsonl --spec providers/acme/elsewhere_spec.lua
ok "a spec that is not beside its cassette has the whole path" grep -qF "mock.cassette \"$(pwd -P)/elsewhere.jsonl\"" providers/acme/elsewhere_spec.lua
rm elsewhere.jsonl providers/acme/elsewhere_spec.lua
tape=providers/acme/spec/failed.jsonl
ok "each line is JSON, and there are as many as requests" python3 -c '
import json
lines = [json.loads(line) for line in open("providers/acme/spec/failed.jsonl")]
assert lines[0]["cassette"] == 1 and lines[0]["provider"] == "acme" and lines[0]["connectionSecrets"] == ["serviceToken"], lines[0]
assert [l["request"]["method"] for l in lines[1:]] == ["POST", "GET", "GET", "GET"], lines
assert json.loads(lines[1]["request"]["body"])["key"] == "{uuid}", lines[1]
assert lines[4]["hook"] == "refreshBackupResult" and "complete" in lines[4]["reply"]["body"]'
for secret in token-of-production issued-by-the-outside cookie-of-the-session; do
  ok "no $secret in it" not grep -q "$secret" "$tape"
done
ok "the recording is for its owner only" test "$(stat -c %a data/recordings/*.jsonl)" = 600

kill "$serve"
wait "$serve"
run provider test providers/acme
ok "the spec fails as production did" exits 1
ok "for the same reason" says "the result should have SUCCEEDED, but it is FAILED: Acme says it is complete"
sed -i 's/done = "SUCCEEDED"/done = "SUCCEEDED", complete = "SUCCEEDED"/' providers/acme/init.lua
run provider test providers/acme
ok "with the provider mended it passes" exits 0
sed -i 's/"jobs\/" \.\. r.externalId/"job\/" .. r.externalId/' providers/acme/init.lua
run provider test providers/acme
ok "what was never recorded fails it, and says what there is" says "the cassette has no such request left; it has: POST http://127.0.0.1:"
sed -i 's/"job\/" \.\./"jobs\/" ../' providers/acme/init.lua

# Recording by hand, against the real thing.
cat >providers/acme/spec/record_spec.lua <<LUA
local test = require "orrery.test"
it("plays what was recorded", function()
  local tape = test.mock.cassette("recorded.jsonl", { connection = { serviceUrl = "http://127.0.0.1:$(cat port)", serviceToken = "token-of-mine" }, options = { policy = "x" } })
  assert.result(test.run.backup(tape:setup())).succeeded()
end)
LUA
run provider test providers/acme/spec/record_spec.lua
ok "without a cassette it says how to make one" says "record\` makes it"
run provider test providers/acme/spec/record_spec.lua --record
ok "it is recorded from the real thing" exits 0
ok "into the file" test -s providers/acme/spec/recorded.jsonl
ok "without the token" not grep -q token-of-mine providers/acme/spec/recorded.jsonl

# A hook that asks more often than a recording holds: it says that there was more.
mkdir many
cat >many/chatty.lua <<'LUA'
local provider = Provider { apiVersion = 1, code = "chatty", name = "Chatty", version = "1.0.0", idempotent = true,
  optionTypes = { { fieldName = "at", inputType = "text" } }, needs = { http = { "${option.at}" } } }
function provider.executeBackup(b, r)
  for i = 1, 1003 do http.get(url.join(b:getConfigProperty("at"), "jobs/chatty")) end
  r.status = "SUCCEEDED"
end
return provider
LUA
chatty() { "$ORRERY" --data many/data --providers many --setting shipped_providers=false --setting record_http=all --setting record_limit=100000000 "$@"; }
chatty backup create c --provider chatty --set at="http://127.0.0.1:$(cat port)" >/dev/null
chatty backup run c --wait >out 2>err
ok "a hook may ask more often than is recorded" test $? -eq 0
ok "a thousand requests are kept" test "$(grep -c '"request"' many/data/recordings/*.jsonl)" = 1000
ok "and the last line says that there were more" test "$(tail -n 1 many/data/recordings/*.jsonl)" = '{"full":true}'

kill "$outside"
wait "$outside" 2>/dev/null
run provider test providers/acme/spec/record_spec.lua
ok "and plays without it" exits 0

# What is kept and what goes.
ok "a good result is not kept with record_http=failures" test "$(ls data/recordings | wc -l)" = 1
run result rm "$id" --force --yes
ok "a recording goes with its result" test "$(ls data/recordings | wc -l)" = 0
