-- The string library: the stock one of Lua 5.1 on a matcher that cannot run for ever. What calls back into Lua is written
-- here, so that a replacement function may wait and never meets a C boundary.
local raw, _, core = ...

-- tostring is the global one of the moment: the sandbox puts one there that leaks no addresses.
local select, type, unpack, concat = select, type, unpack, table.concat
local raise = core.raise
local string = {}

for _, name in ipairs{ "byte", "char", "find", "gmatch", "len", "lower", "match", "rep", "reverse", "sub", "upper" } do
  string[name] = raw[name]
end

local needsText, plainFormat = raw.needsText, raw.format

local function textualised(format, ...)
  local values = { ... }
  for i = 1, select("#", ...) do
    if needsText(values[i]) then values[i] = tostring(values[i]) end
  end
  return plainFormat(format, unpack(values, 1, select("#", ...)))
end

---Formats values as C's printf does; tables and objects are made text with `tostring`.
---@param format string
---@param ... any
---@return string
function string.format(format, ...)
  if needsText(...) then return textualised(format, ...) end
  return plainFormat(format, ...)
end

-- What stands in place of a match, given what the table or function said.
local function replacement(value, whole)
  local kind = type(value)
  if not value then return whole end
  if kind == "string" or kind == "number" then return value end
  raise("invalid replacement value (a " .. kind .. ")")
end

-- The first capture and whatever lookup says to the captures; nil if there is no match.
local function matched(lookup, from, to, ...)
  if not from then return nil end
  return from, to, lookup(...)
end

local function gsubWith(subject, pattern, lookup, most, isTable)
  local pieces, at, count, len = {}, 0, 0, #subject
  while count < most do
    local from, to, value = matched(lookup, raw.next(subject, pattern, at, isTable))
    if not from then break end
    count = count + 1
    pieces[#pieces + 1] = raw.sub(subject, at + 1, from)
    pieces[#pieces + 1] = replacement(value, raw.sub(subject, from + 1, to))
    at = to
    if to == from then
      if from >= len then break end
      pieces[#pieces + 1] = raw.sub(subject, from + 1, from + 1)
      at = from + 1
    end
    if raw.byte(pattern) == 94 then break end -- '^' matches once
  end
  pieces[#pieces + 1] = raw.sub(subject, at + 1)
  return concat(pieces), count
end

---Replaces matches of a pattern. A replacement function may wait (call http, sleep and so on).
---@param subject string
---@param pattern string
---@param with string|table|fun(...): string|number|false|nil
---@param most? integer at most this many
---@return string text, integer count
function string.gsub(subject, pattern, with, most)
  local kind = type(with)
  if kind ~= "table" and kind ~= "function" then return raw.gsub(subject, pattern, with, most) end
  local lookup = with
  if kind == "table" then lookup = function(key) return with[key] end end
  return gsubWith(tostring(subject), tostring(pattern), lookup, most or #tostring(subject) + 1, kind == "table")
end

return string
