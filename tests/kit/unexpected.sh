. "$1" # What a provider asks for and no mock expects fails the test, as does a mock that was not needed; the line says what there is.

mkdir -p asks/spec
cat >asks/init.lua <<'LUA'
local provider = Provider { apiVersion = 1, code = "asks", name = "Asks", version = "1", needs = { http = { "https://a.test", "https://b.test" }, exec = { "tool", "other" } },
  optionTypes = { { fieldName = "what", inputType = "text" } } }
local asks = {
  ["another path"] = function() http.get("https://a.test/job/7") end,
  ["another origin"] = function() http.get("https://b.test/") end,
  ["another command"] = function() process.run { argv = { "tool", "forget", "x" } } end,
  ["another program"] = function() process.run { argv = { "other" } } end,
}
function provider.executeBackup(backup, result)
  local ask = asks[backup:getConfigProperty("what")]
  if ask then pcall(ask) end
  result.status = "SUCCEEDED"
end
return provider
LUA
cat >asks/spec/asks_spec.lua <<'LUA'
local test = require "orrery.test"
local mock, run, fault = test.mock, test.run, test.mock.fault
local api
before_each(function()
  api = mock.http "https://a.test"
  api:on("POST /jobs", 201)
  api:on("GET /jobs/:id", 200)
  mock.process("tool"):on("list ...", 0)
end)
local function ask(what) assert.result(run.backup { options = { what = what } }).succeeded() end
it("asks another path", function() ask "another path" end)
it("asks another origin", function() ask "another origin" end)
it("asks another command", function() ask "another command" end)
it("asks another program", function() ask "another program" end)
it("asks nothing", function() ask "nothing" end)
it("meets no fault", function() api:fault("GET /jobs/:id", fault.reset()) ask "nothing" end)
it("has a route that fails", function()
  api:on("GET /job/:id", function(request) return request.nothing.there end)
  ask "another path"
end)
it("has a pattern that is none", function() api:on("/jobs", 200) end)
it("has two of one origin", function() mock.http "https://a.test:443/" end)
LUA
run provider test asks
ok "they fail" exits 1
ok "and no others" says "1 passed, 8 failed"
ok "a path: what came, and the routes there are" says "asks_spec.lua:11: GET https://a.test/job/7: no route expects it; there are: POST /jobs, GET /jobs/:id"
ok "an origin: how to make a mock" says 'GET https://b.test/: there is no mock for it; mock.http "https://b.test" makes one'
ok "a command: what came, and what there is" says "tool forget x: no command expects it; there are: list ..."
ok "a program: how to make a mock" says 'other: there is no mock for it; mock.process "other" makes one'
ok "a fault that nobody met has its line" says "asks_spec.lua:16: the fault for GET /jobs/:id https://a.test was never met"
ok "a fault of the spec's own has its line" says "the route GET /job/:id: "
ok "a pattern gets its form" says "asks_spec.lua:21: a route is \"METHOD /path\", not '/jobs'"
ok "an origin is mocked once" says "asks_spec.lua:22: mock.http: there is one for https://a.test:443/ in this test already"
ok "safe requests are told of once" test "$(echo "$out" | grep -c "no route expects it")" = 1
