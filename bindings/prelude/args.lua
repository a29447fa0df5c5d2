-- Checking of named arguments for the prelude files below: core.check. No library of its own.
local raw, _, core = ...

local pairs, type, tostring, find, sub = pairs, type, tostring, string.find, string.sub
local raise, nearest, fit, null = raw.raise, raw.nearest, raw.fit, core.null

---Raises, with the author's position, unless `options` is a table with known keys of the right types.
---@param options any
---@param name string the function, for messages
---@param known table<string, string> key -> type ("any" for all), with "!" behind it if it is required
---@return table options
function core.check(options, name, known)
  if fit(options, known) then return options end
  if type(options) ~= "table" then raise(name .. ": takes a table of named arguments, not " .. type(options)) end
  for key, value in pairs(options) do
    local kind = known[key]
    if not kind then
      local near = type(key) == "string" and nearest(key, known)
      raise(name .. ": unknown argument '" .. tostring(key) .. "'" .. (near and " (did you mean '" .. near .. "'?)" or ""))
    end
    if find(kind, type(value), 1, true) ~= 1 and sub(kind, 1, 3) ~= "any" and value ~= null then
      raise(name .. ": '" .. key .. "' must be a " .. sub(kind, 1, #kind - (sub(kind, -1) == "!" and 1 or 0)) .. ", not " .. type(value))
    end
  end
  for key, kind in pairs(known) do
    if sub(kind, -1) == "!" and (options[key] == nil or options[key] == null) then
      raise(name .. ": '" .. key .. "' is missing (a " .. sub(kind, 1, -2) .. ")")
    end
  end
  return options
end

core.raise = raise

return nil
