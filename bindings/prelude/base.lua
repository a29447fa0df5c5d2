-- The basic functions that differ from stock Lua: they leak no addresses, load text only, and find modules in the provider's own
-- folder. Returns what goes among the globals.
local raw, lib = ...
local error, type, select, concat, stockTostring = error, type, select, table.concat, tostring
local compile, hasTostring, log, module, nearest = raw.compile, raw.hasTostring, raw.log, raw.module, raw.nearest

local base = {}

---@param value any
---@return string
function base.tostring(value)
  local kind = type(value)
  if kind == "table" or kind == "function" or kind == "thread" or kind == "userdata" then
    if not hasTostring(value) then return kind end
  end
  return stockTostring(value)
end

---Writes a line to the log, level info.
function base.print(...)
  local texts = {}
  for i = 1, select("#", ...) do texts[i] = base.tostring((select(i, ...))) end
  log(concat(texts, "\t"))
end

---Compiles Lua source text.
---@param text string
---@param name? string
---@param mode? string ignored: only text is loaded
---@param env? table
---@return function? chunk, string? err
function base.load(text, name, mode, env)
  if type(text) ~= "string" then error("load: a string is needed, not a " .. type(text), 2) end
  return compile(text, name or "load", env)
end
base.loadstring = base.load

---Kilobytes in use; there is nothing else to ask of the collector here.
---@param what string "count"
---@return number
function base.collectgarbage(what)
  if what ~= nil and what ~= "count" then error("collectgarbage: only \"count\" is available", 2) end
  return raw.memory()
end

local loaded, loading = {}, {}

---A library of the runtime's, or a file of the provider's own folder ("util.dates" is util/dates.lua).
---@param name string
---@return any
function base.require(name)
  if lib[name] ~= nil then return lib[name] end
  if loaded[name] ~= nil then return loaded[name] end
  if loading[name] then error("require: '" .. name .. "' requires itself", 2) end
  local chunk, names = module(name)
  if not chunk then
    local near = nearest(name, names)
    error("require: no module '" .. base.tostring(name) .. "'" .. (near and " (did you mean '" .. near .. "'?)" or ""), 2)
  end
  loading[name] = true
  local value = chunk(name)
  loading[name] = nil
  if value == nil then value = true end
  loaded[name] = value
  return value
end

return base
