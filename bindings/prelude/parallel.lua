-- parallel{ f, g, ... }: runs functions side by side and joins them all; the first value of each, in order.
local raw, _, core = ...
local error, type, ipairs = error, type, ipairs
local run = core.await(raw.run)

---@param functions function[] at most 100
---@return any ... the first value of each
return function(functions, ...)
  if type(functions) ~= "table" then error("parallel: a table of functions is needed, as in parallel{ f, g }, not a " .. type(functions), 2) end
  if select("#", ...) > 0 then error("parallel: one table of functions is needed, as in parallel{ f, g }", 2) end
  for i, f in ipairs(functions) do
    if type(f) ~= "function" then error("parallel: entry " .. i .. " is a " .. type(f) .. ", not a function (called already?)", 2) end
  end
  return run(functions)
end
