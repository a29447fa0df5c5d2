-- Provider{ ... }: the declaration of a provider. Its value is the table whose functions are the hooks, and which the file returns.
-- What is declared is checked in C (declare.c); here only functions are told from declarations, and misspelt hooks are noticed where
-- they are written.
local raw = ...
local error, type, pairs, setmetatable, rawset = error, type, pairs, setmetatable, rawset
local hooks, nearest = raw.hooks, raw.nearest

local isHook = { selfTest = true }
for _, name in pairs(hooks) do isHook[name] = true end

local function put(provider, key, value)
  if type(key) == "string" and not isHook[key] and type(value) == "function" then
    local near = nearest(key, hooks)
    if near then raw.finding("there is no hook '" .. key .. "' (did you mean '" .. near .. "'?)") end
  elseif isHook[key] and type(value) ~= "function" then
    raw.finding("the hook '" .. key .. "' must be a function, not a " .. type(value))
  end
  rawset(provider, key, value)
end

---@param declaration table
---@return table provider
local function Provider(declaration)
  if type(declaration) ~= "table" then error("Provider: a table is needed, as in Provider{ code = ... }, not a " .. type(declaration), 2) end
  local declared, provider = {}, {}
  for key, value in pairs(declaration) do
    if type(value) == "function" then put(provider, key, value) else declared[key] = value end
  end
  setmetatable(provider, { __index = declared, __newindex = put, __metatable = "Provider" })
  raw.declared(declared, provider)
  return provider
end

return { Provider = Provider }
