-- URLs and bytes as mocks need them: an URL taken apart, percent-decoding, base64.
local url = {}

local ports = { http = "80", https = "443" }

function url.decode(text) return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)) end

local function decodePath(text) return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)) end

--- scheme://host:port in lower case with the port always there; nil for what is none.
function url.origin(text)
  local scheme, rest = text:match("^(%a+)://([^/?#]+)")
  if not scheme then return nil end
  scheme, rest = scheme:lower(), rest:lower():gsub("^.*@", "")
  if not rest:find(":%d+$") then rest = rest .. ":" .. (ports[scheme] or "0") end
  return scheme .. "://" .. rest
end

--- The same without the port where it is the usual one, for people.
function url.short(origin)
  for scheme, port in pairs(ports) do
    local host = origin:match("^" .. scheme .. "://(.*):" .. port .. "$")
    if host then return scheme .. "://" .. host end
  end
  return origin
end

--- "a=1&b=x%20y" as a map; a key that comes twice has its last value.
function url.query(text)
  local map = {}
  for pair in (text or ""):gmatch("[^&]+") do
    local key, value = pair:match("^([^=]*)=?(.*)$")
    map[url.decode(key)] = url.decode(value)
  end
  return map
end

--- { origin, path, query (map), segments (decoded) }
function url.split(text)
  local rest = text:match("^%a+://[^/?#]*(.*)$") or text
  rest = rest:gsub("#.*$", "")
  local path, query = rest:match("^([^?]*)%??(.*)$")
  if path == "" then path = "/" end
  local segments = {}
  for segment in path:gmatch("[^/]+") do table.insert(segments, decodePath(segment)) end
  return { origin = url.origin(text), path = path, query = url.query(query), segments = segments }
end

local function withoutDots(path)
  local kept = {}
  for segment in path:gmatch("/([^/]*)") do
    if segment == ".." then table.remove(kept)
    elseif segment ~= "." then table.insert(kept, segment) end
  end
  if path:find("/%.%.?$") then table.insert(kept, "") end
  return "/" .. table.concat(kept, "/")
end

--- Where a Location leads from an absolute URL: another one, without a fragment.
function url.join(base, location)
  base, location = base:gsub("#.*$", ""), location:gsub("#.*$", "")
  local scheme, peer, rest = base:match("^(%a+:)(//[^/?]*)(.*)$")
  if location:find("^%a[%w+.-]*:") then scheme, peer, rest = location:match("^(%a+:)(//[^/?]*)(.*)$")
  elseif location:sub(1, 2) == "//" then peer, rest = location:match("^(//[^/?]*)(.*)$")
  elseif location:sub(1, 1) == "/" then rest = location
  elseif location:sub(1, 1) == "?" then rest = rest:gsub("%?.*$", "") .. location
  elseif location ~= "" then rest = (rest:gsub("%?.*$", ""):match("^(.*/)") or "/") .. location end
  if not scheme then return location end
  local path, query = rest:match("^([^?]*)(.*)$")
  return scheme .. peer .. withoutDots(path == "" and "/" or path) .. query
end

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function url.toBase64(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for i = 0, 3 do
      local digit = math.floor(n / 64 ^ (3 - i)) % 64 + 1
      out[#out + 1] = (i == 2 and not b or i == 3 and not c) and "=" or letters:sub(digit, digit)
    end
  end
  return table.concat(out)
end

function url.fromBase64(text)
  local out, n, bits = {}, 0, 0
  for char in text:gmatch("[%w+/]") do
    n, bits = n * 64 + letters:find(char, 1, true) - 1, bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(math.floor(n / 2 ^ bits) % 256)
      n = n % 2 ^ bits
    end
  end
  return table.concat(out)
end

--- Is it UTF-8, as JSON text must be?
function url.isText(bytes)
  if not bytes:find("[\128-\255]") then return true end
  local rest = bytes:gsub("[%z\1-\127]", ""):gsub("[\194-\223][\128-\191]", ""):gsub("\224[\160-\191][\128-\191]", "")
  rest = rest:gsub("[\225-\236\238\239][\128-\191][\128-\191]", ""):gsub("\237[\128-\159][\128-\191]", "")
  rest = rest:gsub("\240[\144-\191][\128-\191][\128-\191]", ""):gsub("[\241-\243][\128-\191][\128-\191][\128-\191]", "")
  return rest:gsub("\244[\128-\143][\128-\191][\128-\191]", "") == ""
end

--- Puts bytes into a map as `key`, or as keyBase64 where they are no text.
function url.put(map, key, bytes)
  if url.isText(bytes) then map[key] = bytes
  else map[key .. "Base64"] = url.toBase64(bytes) end
end

function url.take(map, key)
  local coded = map[key .. "Base64"]
  return coded and url.fromBase64(coded) or map[key]
end

return url
