# Prints the reference of the Lua libraries from the doc comments (--- lines) of bindings/prelude/*.lua.
#
# A block of --- lines stands before what it describes: a function, a field of the table that the file returns, or, with
# @class or @alias, nothing. A file's opening comment is its introduction. Knows nothing of Lua beyond these shapes.
function flush_file() {
  intro = toupper(substr(intro, 1, 1)) substr(intro, 2)
  if (body != "") printf "%s## %s\n\n%s\n\n%s", (printed++ ? "\n" : ""), title, intro, body
  body = ""
}
function clear() { text = ""; params = ""; list = ""; kind = ""; signature = ""; called = 0 }
function add(s) { body = body s "\n" }
function typed(s) { gsub(/\|/, " | ", s); return "`" s "`" }
# The length of the type that `s` begins with: up to a blank outside of brackets.
function type_length(s,   i, c, depth) {
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    if (c ~ /[{(<[]/) depth++
    else if (c ~ /[})>\]]/) depth--
    else if (c == " " && depth <= 0 && substr(s, i - 1, 1) !~ /[:,]/) return i - 1
  }
  return length(s)
}
function item(name, rest,   n) {
  n = type_length(rest)
  return "- " (name == "" ? "" : "`" name "` ") typed(substr(rest, 1, n)) (n < length(rest) ? ": " substr(rest, n + 2) : "")
}
function entry(name, arguments) {
  if (text == "" && params == "" && list == "" && signature == "") return
  sub(/^(base)\./, "", name)
  if (params == "") params = arguments
  if (params != "" || list != "" || called) name = name "(" params ")"
  add("**`" name "`**" (text != "" ? "  \n" text : "") "\n")
  if (list != "") add(list)
}
FNR == 1 {
  flush_file(); clear()
  file = FILENAME; sub(/.*\//, "", file); sub(/\.lua$/, "", file)
  title = file; intro = $0; sub(/^-- ?([a-z0-9A-Z]+: )?/, "", intro); opening = 1
  if (title == "base") title = "Basic functions"
  if (title == "response") title = "Answers"
  if (title == "provider") title = "Declaration"
  next
}
opening && /^-- / { line = $0; sub(/^-- /, "", line); intro = intro " " line; next }
{ opening = 0 }
/^[ ]*---@param / {
  line = $0; sub(/^ *---@param +/, "", line); name = line; sub(/ .*/, "", name); sub(/^[^ ]+ */, "", line)
  plain = name; sub(/\?$/, "", plain)
  params = params (params == "" ? "" : ", ") plain (name ~ /\?$/ ? "?" : "")
  list = list item(name, line) "\n"; next
}
/^[ ]*---@return / {
  line = $0; sub(/^ *---@return +/, "", line); list = list "- returns " substr(item("", line), 3) "\n"; next
}
/^[ ]*---@(class|alias) / {
  line = $0; sub(/^ *---@/, "", line); kind = line; sub(/ .*/, "", kind); sub(/^[a-z]+ +/, "", line)
  name = line; sub(/ .*/, "", name); sub(/^[^ ]+ */, "", line)
  add("**" name "**  "); if (line != "") add(item("", line)); open = 1; next
}
/^[ ]*---@field / {
  line = $0; sub(/^ *---@field +/, "", line); name = line; sub(/ .*/, "", name); sub(/^[^ ]+ */, "", line)
  add(item(name, line)); next
}
/^[ ]*---@type fun\(/ {
  signature = $0; sub(/^.*fun\(/, "", signature); sub(/\).*/, "", signature); gsub(/: [^,]*/, "", signature); next
}
/^[ ]*---@/ { next }
/^[ ]*---  / { line = $0; sub(/^ *--- +/, "", line); if (kind != "") add("  " line); else list = list "  " line "\n"; next }
/^[ ]*---/ { line = $0; sub(/^ *--- ?/, "", line); if (kind != "") add("\n" line); else text = text (text == "" ? "" : " ") line; next }
/^$/ { if (kind != "") add(""); clear(); next }
{
  line = $0; called = line ~ /function/; arguments = called ? line : ""; sub(/^[^(]*\(/, "", arguments); sub(/\).*/, "", arguments)
  if (line ~ /^function [A-Za-z.:]+\(/) { name = line; sub(/^function /, "", name); sub(/\(.*/, "", name); sub(/^ours\./, "math.", name); sub(/^Session:/, "session:", name); entry(name, arguments) }
  else if (line ~ /^local function /) { name = line; sub(/^local function /, "", name); sub(/\(.*/, "", name); entry(name, arguments) }
  else if (line ~ /^return function\(/) entry(file, arguments)
  else if (line ~ /^ +[a-zA-Z0-9]+ = /) { name = line; sub(/^ +/, "", name); sub(/ =.*/, "", name); entry(file "." name, arguments) }
  else if (line ~ /^[a-z]+\.[a-zA-Z0-9]+ = /) { name = line; sub(/ =.*/, "", name); entry(name, signature) }
  else if (line ~ /^local [A-Z]/ && text != "") add("**" substr(line, 7, index(substr(line, 7), " ") - 1) "**  \n" text "\n")
  clear()
}
END { flush_file() }
