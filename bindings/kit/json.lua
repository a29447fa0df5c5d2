-- JSON text as mocks and requests need it: keys in order, so that the same value is the same text, and a table with a key that is no number is
-- an object (to dkjson, which reads it, { n = 1 } is a list).
--
-- An empty table is a list, unless it was marked with object().
local dkjson = require "dkjson"

local json = { null = dkjson.null }

--- Marks a table as an object, so that an empty one is {} and not [].
function json.object(values) return setmetatable(values or {}, { __jsontype = "object" }) end

--- The value, with null as nil; or nil and what is wrong.
function json.decode(text)
  local value, _, err = dkjson.decode(text, 1, nil)
  return value, err
end

local function number(value)
  if value ~= value or value == math.huge or value == -math.huge then error("JSON has no such number: " .. tostring(value), 0) end
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then return ("%d"):format(value) end
  return ("%.17g"):format(value)
end

local encode

local function list(value, seen)
  local parts = {}
  for i = 1, #value do parts[i] = encode(value[i], seen) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object(value, seen)
  local keys, parts = {}, {}
  for key in pairs(value) do table.insert(keys, tostring(key)) end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local item = value[key]
    if item == nil then item = value[tonumber(key)] end
    table.insert(parts, dkjson.quotestring(key) .. ":" .. encode(item, seen))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function isObject(value)
  local meta = getmetatable(value)
  if meta and meta.__jsontype == "object" then return true end
  for key in pairs(value) do
    if type(key) ~= "number" then return true end
  end
  return false
end

encode = function(value, seen)
  local kind = type(value)
  if value == json.null or value == nil then return "null" end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return number(value) end
  if kind == "string" then return dkjson.quotestring(value) end
  if kind ~= "table" then error("JSON has no " .. kind, 0) end
  if seen[value] then error("a table that contains itself is no JSON", 0) end
  seen[value] = true
  local text = isObject(value) and object(value, seen) or list(value, seen)
  seen[value] = nil
  return text
end

--- The text of a value; raises for what JSON does not have.
function json.encode(value) return encode(value, {}) end

return json
