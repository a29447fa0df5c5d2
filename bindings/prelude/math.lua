-- math: the stock library with chance from the runtime's source, so that a seeded run can be repeated.
local raw, _, core = ...

local pairs, floor, raise = pairs, math.floor, core.raise
local number = raw.number

local ours = {}
for name, value in pairs(math) do ours[name] = value end

---A random number: 0 <= x < 1, a whole one from 1 to `low`, or from `low` to `high`.
---@param low? integer
---@param high? integer
---@return number
function ours.random(low, high)
  if low == nil then return number() end
  if high == nil then low, high = 1, low end
  if low > high then raise("bad argument to 'random' (interval is empty)") end
  return floor(low) + floor(number() * (floor(high) - floor(low) + 1))
end

---Does nothing: the runtime has the seed.
function ours.randomseed() end

return ours
