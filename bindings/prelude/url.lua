-- url: taking addresses apart and putting them together.
local raw, lib, core = ...

local ipairs, pairs, type, tostring = ipairs, pairs, type, tostring
local raise = core.raise
local concat, sort = table.concat, table.sort
local string = lib.string

local url = {}

---Percent-encodes everything but letters, digits and `-._~`.
---@param text string|number
---@return string
url.encode = raw.encode

---@param text string
---@param plus? boolean `+` is a blank, as in a query
---@return string? text
---@return string? err
url.decode = raw.decode

---The parts of an http or https address. `origin` is scheme://host:port in lower case, comparable as text.
---@param text string
---@return { scheme: string, user: string?, password: string?, host: string, port: integer, path: string?, query: string?, fragment: string?, origin: string }?
---@return string? err
url.parse = raw.parse

local function queryText(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then return raw.encode(tostring(value)) end
  raise("url.query: values are strings, numbers, booleans or arrays of them, not " .. kind)
end

local function encodeQuery(values)
  local keys, pairsOut = {}, {}
  for key in pairs(values) do
    if type(key) ~= "string" then raise("url.query: names must be strings") end
    keys[#keys + 1] = key
  end
  sort(keys)
  for _, key in ipairs(keys) do
    local value = values[key]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      pairsOut[#pairsOut + 1] = raw.encode(key) .. "=" .. queryText(one)
    end
  end
  return concat(pairsOut, "&")
end

local function decodeQuery(text)
  local values = {}
  for part in string.gmatch(text, "[^&]+") do
    local key, value = string.match(part, "^([^=]*)=?(.*)$")
    key, value = raw.decode(key, true), raw.decode(value, true)
    if not key or not value then return nil, "not a query: " .. part end
    local before = values[key]
    if before == nil then values[key] = value
    elseif type(before) == "table" then before[#before + 1] = value
    else values[key] = { before, value } end
  end
  return values
end

---A table as query text (sorted by name; an array repeats its name), or a query text as a table.
---@param query table|string
---@return string|table|nil
---@return string? err
function url.query(query)
  if type(query) == "table" then return encodeQuery(query) end
  if type(query) == "string" then return decodeQuery(query) end
  raise("url.query: takes a table or a string, not " .. type(query))
end

---Joins a base address and path segments with exactly one slash between each.
---@param base string
---@param ... string|number
---@return string
function url.join(base, ...)
  local text = tostring(base)
  for _, part in ipairs{ ... } do
    text = string.gsub(text, "/+$", "") .. "/" .. string.gsub(tostring(part), "^/+", "")
  end
  return text
end

local function segment(text)
  if text == "." or text == ".." or text == "" then raise("url.path: '" .. text .. "' is no path segment") end
  return (string.gsub(text, "[^%w%-%._~:@!%$&'()*+,;=]", function(c) return string.format("%%%02X", string.byte(c)) end))
end

---Joins a base address and path segments that are ids, names or the like: what would end a segment is percent-encoded, while `:` and others that
---may stand in one stay as they are. Raises for "", "." and "..", which would lead elsewhere.
---@param base string without query
---@param ... string|number
---@return string
function url.path(base, ...)
  local text = string.gsub(tostring(base), "/+$", "")
  for _, part in ipairs{ ... } do
    text = text .. "/" .. segment(type(part) == "number" and string.format("%.0f", part) or tostring(part))
  end
  return text
end

---An address from its parts. `path` is taken as it is; encode its segments with url.encode.
---@param parts { scheme: string?, host: string, port: integer?, path: string?, query: table|string|nil, fragment: string? } scheme: "https" if not given
---@return string
function url.build(parts)
  if type(parts) ~= "table" or type(parts.host) ~= "string" then raise("url.build: 'host' is missing (a string)") end
  local host = parts.host
  if string.find(host, ":", 1, true) and string.sub(host, 1, 1) ~= "[" then host = "[" .. host .. "]" end
  local text = (parts.scheme or "https") .. "://" .. host
  if parts.port then text = text .. ":" .. string.format("%d", parts.port) end
  local path = parts.path or ""
  if path ~= "" and string.sub(path, 1, 1) ~= "/" then path = "/" .. path end
  text = text .. path
  local query = parts.query
  if type(query) == "table" then query = encodeQuery(query) end
  if query and query ~= "" then text = text .. "?" .. query end
  if parts.fragment then text = text .. "#" .. parts.fragment end
  return text
end

return url
