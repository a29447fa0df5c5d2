# Prints what `require "orrery.test"` gives to a spec as an editor wants it (LuaCATS), from the doc comments (--- lines) of bindings/kit/*.lua: a class
# with its functions, wherever a local with a comment of one is made; what a file returns under the name that a spec has for it.
function clear() { text = ""; params = "" }
BEGIN {
  print "---@meta orrery.test\n-- Made by docs/luacats_kit.awk: what an editor has to know of specs."
  made["mock_http"] = "TestMocks.http"; made["mock_process"] = "TestMocks.process"; made["jobs"] = "TestMocks.jobs"; made["cassette"] = "TestMocks.cassette"
  made["crash"] = "TestKit.everyCrash"
}
FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/\.lua$/, "", file); split("", class_of); clear(); next }
/^---@class / { class = $2; sub(/:$/, "", class) }
/^---@param / { line = $2; sub(/\?$/, "", line); params = params (params == "" ? "" : ", ") line }
/^---/ { text = text $0 "\n"; next }
/^$/ { if (text ~ /---@(class|alias)/) printf "\n%s", text; clear(); next }
text != "" && /^(local )?[A-Za-z.]+ = / && text ~ /---@class/ {
  name = $0; sub(/^local /, "", name); sub(/ = .*/, "", name)
  class_of[name] = class
  printf "\n%slocal %s = {}\n", text, class
}
text != "" && /^function [A-Za-z]+[.:][A-Za-z]+\(/ {
  owner = $2; sub(/[.:].*/, "", owner); name = $2; sub(/^[A-Za-z]+/, "", name); sub(/\(.*/, "", name)
  if (owner in class_of) printf "\n%sfunction %s%s(%s) end\n", text, class_of[owner], name, params
}
text != "" && (/^local function new\(/ || /^return function\(/) && file in made { printf "\n%sfunction %s(%s) end\n", text, made[file], params }
{ clear() }
END {
  print "\nTestKit.mock, TestKit.run, TestKit.clock, TestMocks.fault = TestMocks, TestRun, TestClock, TestFaults"
  print "\n-- Of busted, what every spec has.\n"
  print "---@param name string\n---@param block fun()\nfunction describe(name, block) end\n"
  print "---@param name string\n---@param block fun()\nfunction it(name, block) end\n"
  print "---@param name string\n---@param block? fun()\nfunction pending(name, block) end\n"
  print "---@param block fun()\nfunction before_each(block) end\n\n---@param block fun()\nfunction after_each(block) end\n"
  print "---@param block fun()\nfunction setup(block) end\n\n---@param block fun()\nfunction teardown(block) end\n"
  print "---@param result TestResult\n---@return ResultAssertions\nfunction assert.result(result) end\n"
  print "---@param expected any\n---@param value any\n---@param message? string\nfunction assert.equal(expected, value, message) end\n"
  print "---@param expected any\n---@param value any\n---@param message? string\nfunction assert.same(expected, value, message) end\n"
  print "---@param pattern string\n---@param text string\n---@param message? string\nfunction assert.matches(pattern, text, message) end\n"
  count = split("is_true is_false is_nil is_truthy is_falsy", words, " ")
  for (i = 1; i <= count; i++) print "---@param value any\n---@param message? string\nfunction assert." words[i] "(value, message) end\n"
  print "return TestKit"
}
