-- os: what is left of it, on the runtime's clock and in UTC.
local _, lib, core = ...

local ipairs, type = ipairs, type
local raise = core.raise
local floor = math.floor
local string, time = lib.string, lib.time
local strftime, partsOf, days = time._strftime, time._parts, time._days
time._strftime, time._parts, time._days = nil, nil, nil

local os = {}

---Seconds since 1970, of now or of a table as os.date("*t") gives it (UTC).
---@param date? { year: integer, month: integer, day: integer, hour: integer?, min: integer?, sec: integer? }
---@return integer seconds
function os.time(date)
  if date == nil then return floor(time.now() / 1000) end
  if type(date) ~= "table" then raise("os.time: takes a table, not " .. type(date)) end
  for _, field in ipairs{ "year", "month", "day" } do
    if type(date[field]) ~= "number" then raise("os.time: field '" .. field .. "' is missing") end
  end
  return days(date.year, date.month, date.day) * 86400 + (date.hour or 12) * 3600 + (date.min or 0) * 60 + (date.sec or 0)
end

---A date as text or, for "*t", as a table; in UTC with or without the leading "!".
---@param pattern? string as in strftime
---@param seconds? number since 1970; now if not given
---@return string|table
function os.date(pattern, seconds)
  pattern = string.gsub(pattern or "%c", "^!", "")
  local parts = partsOf(seconds and seconds * 1000 or time.now())
  if string.sub(pattern, 1, 2) ~= "*t" then return strftime(pattern, parts) end
  parts.ms, parts.msec = nil, nil
  return parts
end

local begun

---Seconds since the first call of it, for measuring how long something took.
---@return number
function os.clock()
  begun = begun or time.now()
  return (time.now() - begun) / 1000
end

---@param later number seconds
---@param earlier number seconds
---@return number
function os.difftime(later, earlier)
  return later - (earlier or 0)
end

return os
