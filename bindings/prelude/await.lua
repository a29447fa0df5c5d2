-- await: turns what a raw function answers, `true, values...` or `false, error`, into values or a raised error. Give it the
-- function to get a wrapped one, or the answer itself. The raised table says where the author called.
local raw = ...
local raise, select, type = raw.raise, select, type

local function settle(ok, ...)
  if ok then return ... end
  raise((...))
end

return function(f, ...)
  if type(f) ~= "function" then return settle(f, ...) end
  if select("#", ...) > 0 then return settle(f(...)) end
  return function(...) return settle(f(...)) end
end
