-- log: lines for the operator. Secrets are redacted; a line ends at 8 KiB; a call may write 1,000 of them.
local raw, lib, core = ...

-- tostring is the global one of the moment: the sandbox puts one there that leaks no addresses.
local ipairs, pcall, select, type, unpack = ipairs, pcall, select, type, unpack
local format, match, raise = lib.string.format, lib.string.match, core.raise

local log = {}

local function shown(value)
  if value == nil then return "nil" end
  if type(value) == "table" then return raw.json(value) end
  if type(value) == "number" or type(value) == "string" then return value end
  return tostring(value)
end

local function line(text, ...)
  local count = select("#", ...)
  if count == 0 then return tostring(shown(text)) end
  local values = { ... }
  for i = 1, count do values[i] = shown(values[i]) end
  local ok, made = pcall(format, text, unpack(values, 1, count))
  if ok then return made end
  local number, why = match(tostring(made), "bad argument #(%d+) to '.-' %((.*)%)")
  raise("log: " .. (number and "value " .. number - 1 .. " of the format: " .. why or tostring(made)))
end

for level, name in ipairs{ "debug", "info", "warn", "error" } do
  log[name] = function(...) raw.write(level - 1, line(...)) end
end

---Writes a line of level debug.
---@type fun(format: string, ...) printf-like; tables appear as JSON; without further values the text stands as it is
log.debug = log.debug
---Writes a line of level info.
---@type fun(format: string, ...)
log.info = log.info
---Writes a line of level warning.
---@type fun(format: string, ...)
log.warn = log.warn
---The same as log.warn.
---@type fun(format: string, ...)
log.warning = log.warn
---Writes a line of level error. Does not raise.
---@type fun(format: string, ...)
log.error = log.error

return log
