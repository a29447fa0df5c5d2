# Prints the libraries of providers as an editor wants them (LuaCATS), from the doc comments (--- lines) of bindings/prelude/*.lua: each
# comment as it is, then the function without its body. Knows nothing of Lua beyond the shapes that libraries.awk knows.
function clear() { text = ""; params = ""; is_function = 0 }
function table_of(name,   owner) {
  owner = name; if (!sub(/[.:].*/, "", owner) || owner in made) return
  made[owner] = 1
  printf "\n---@class %slib\n%s = {}\n", owner, owner
}
function entry(name, arguments, is_value) {
  sub(/^base\./, "", name); sub(/^ours\./, "math.", name)
  if (name ~ /^Session[:.]/ || name in made) { clear(); return }
  table_of(name); made[name] = 1
  if (params != "" && arguments == "") arguments = params
  printf "\n%s", text
  if (is_value) print name " = nil"
  else print "function " name "(" arguments ") end"
  clear()
}
BEGIN { made["ServiceResponse"] = 1; print "---@meta\n-- Made by docs/luacats.awk: what an editor has to know of the libraries." }
FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/\.lua$/, "", file); clear(); next }
/^ *---@param / {
  line = $0; sub(/^ *---@param +/, "", line); sub(/[ ?].*/, "", line); params = params (params == "" ? "" : ", ") line
}
/^ *---@return / { is_function = 1 }
/^ *---@type fun\(/ { # the parameters in words of their own
  line = $0; sub(/^.*fun\(/, "", line); sub(/\).*/, "", line); count = split(line, parts, /, */)
  for (i = 1; i <= count; i++) {
    name = parts[i]; type = "any"
    if (name ~ /:/) { type = name; sub(/^[^:]*: */, "", type); sub(/:.*/, "", name) }
    text = text "---@param " name " " type "\n"; sub(/\?$/, "", name); params = params (params == "" ? "" : ", ") name
  }
  line = $0
  if (sub(/^.*\): */, "", line)) { sub(/ .*/, "", line); text = text "---@return " line "\n" }
  is_function = 1; next
}
/^ *---/ { line = $0; sub(/^ */, "", line); text = text line "\n"; next }
/^$/ { if (text ~ /---@(class|alias)/) printf "\n%s", text; clear(); next }
text == "" && !/^function / { next }
{
  line = $0; arguments = ""
  if (line ~ /function/) { arguments = line; sub(/^[^(]*\(/, "", arguments); if (line ~ /function\(/) { arguments = line; sub(/^.*function\(/, "", arguments) } sub(/\).*/, "", arguments) }
  if (line ~ /^function [A-Za-z0-9.:]+\(/) { name = line; sub(/^function /, "", name); sub(/\(.*/, "", name); if (text != "") entry(name, arguments) }
  else if (line ~ /^local function /) { name = line; sub(/^local function /, "", name); sub(/\(.*/, "", name); entry(name, arguments) }
  else if (line ~ /^return function\(/) entry(file, arguments)
  else if (line ~ /^ +[a-zA-Z0-9]+ = /) { name = line; sub(/^ +/, "", name); sub(/ =.*/, "", name); entry(file "." name, arguments) }
  else if (line ~ /^[a-z0-9]+\.[a-zA-Z0-9]+ = /) { name = line; sub(/ =.*/, "", name); entry(name, "", params == "" && !is_function && line !~ /function/) }
  else if (line ~ /^local [A-Z]/) { } # a class that luacats.c has
  else if (line ~ /^local [a-z]+ = setmetatable/) { name = line; sub(/^local /, "", name); sub(/ =.*/, "", name); gsub(/---@param [^\n]*\n|---@return [^\n]*\n/, "", text); printf "\n%s---@type table<string, fun(args: any): any>\n%s = {}\n", text, name }
  clear()
}
