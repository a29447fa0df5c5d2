-- time: instants are milliseconds since 1970 UTC, durations are seconds. All text is in UTC; there are no local times here.
local raw, lib, core = ...

local type, tonumber = type, tonumber
local raise = core.raise
local floor = math.floor
local string = lib.string
local format = string.format

local time = {}

local SECONDS_SUSPECT = 1e11 -- an instant this small is 1973 at most: somebody passed seconds

local weekdays = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local months = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December" }

---The present instant.
---@return number ms
time.now = raw.now

---The instant of an ISO 8601 text ("2026-11-23T06:50:24.123Z", offsets, a blank for T, date alone); without offset UTC.
---@param text string
---@return number? ms
---@return string? err
time.parse = raw.parse

-- Every strftime letter that does not depend on a place, as a function of the parts.
local letters = {
  Y = function(p) return format("%d", p.year) end,
  y = function(p) return format("%02d", p.year % 100) end,
  m = function(p) return format("%02d", p.month) end,
  d = function(p) return format("%02d", p.day) end,
  e = function(p) return format("%2d", p.day) end,
  H = function(p) return format("%02d", p.hour) end,
  I = function(p) return format("%02d", (p.hour + 11) % 12 + 1) end,
  M = function(p) return format("%02d", p.min) end,
  S = function(p) return format("%02d", p.sec) end,
  L = function(p) return format("%03d", p.msec) end,
  p = function(p) return p.hour < 12 and "AM" or "PM" end,
  j = function(p) return format("%03d", p.yday) end,
  w = function(p) return format("%d", p.wday - 1) end,
  u = function(p) return format("%d", (p.wday + 5) % 7 + 1) end,
  A = function(p) return weekdays[p.wday] end,
  a = function(p) return string.sub(weekdays[p.wday], 1, 3) end,
  B = function(p) return months[p.month] end,
  b = function(p) return string.sub(months[p.month], 1, 3) end,
  s = function(p) return format("%d", floor(p.ms / 1000)) end,
  Z = function() return "UTC" end,
  z = function() return "+0000" end,
  n = function() return "\n" end,
  t = function() return "\t" end,
  ["%"] = function() return "%" end,
}
letters.h = letters.b

local combined = { F = "%Y-%m-%d", T = "%H:%M:%S", X = "%H:%M:%S", R = "%H:%M", D = "%m/%d/%y", x = "%m/%d/%y", c = "%a %b %e %H:%M:%S %Y", r = "%I:%M:%S %p" }

local function partsOf(ms)
  local year, month, day, hour, min, sec, msec, wday, yday = raw.civil(ms)
  return { year = year, month = month, day = day, hour = hour, min = min, sec = sec, msec = msec, wday = wday + 1, yday = yday, ms = ms, isdst = false }
end

local function strftime(pattern, parts)
  return (string.gsub(pattern, "%%(.?)", function(letter)
    if combined[letter] then return strftime(combined[letter], parts) end
    local make = letters[letter]
    if not make then raise("time.format: unknown %" .. letter) end
    return make(parts)
  end))
end

---An instant as text: ISO 8601 in UTC, or by strftime letters (%L: milliseconds; also in UTC).
---@param ms number
---@param pattern? string such as "%Y-%m-%d %H:%M"
---@return string
function time.format(ms, pattern)
  if type(ms) ~= "number" then raise("time.format: ms must be a number, not " .. type(ms)) end
  if ms > -SECONDS_SUSPECT and ms < SECONDS_SUSPECT and ms ~= 0 then
    raise("time.format: " .. ms .. " is too small for milliseconds since 1970 (seconds?)")
  end
  if pattern == nil then return raw.iso(ms) end
  return strftime(pattern, partsOf(ms))
end

-- For os.date, which has no such doubt.
time._strftime, time._parts, time._days = strftime, partsOf, raw.days

local units = { ms = 0.001, s = 1, m = 60, min = 60, h = 3600, d = 86400, w = 604800 }

local function isoDuration(text)
  local date, clock = string.match(text, "^[Pp]([%d%.DdWw]*)[Tt]?([%d%.HhMmSs]*)$")
  if not date or (date == "" and clock == "") then return nil end
  local total = 0
  for number, unit in string.gmatch(string.lower(date .. clock), "([%d%.]+)(%a)") do
    total = total + (tonumber(number) or 0 / 0) * units[unit]
  end
  return total == total and total or nil
end

---The seconds of a duration text: "90", "1h30m", "2d 4h", "500ms", "PT1H30M". A number is taken as it is.
---@param duration string|number
---@return number? seconds
---@return string? err
function time.seconds(duration)
  if type(duration) == "number" then return duration end
  if type(duration) ~= "string" then raise("time.seconds: takes a string or a number, not " .. type(duration)) end
  if tonumber(duration) then return tonumber(duration) end
  local iso = isoDuration(duration)
  if iso then return iso end
  local total, rest = 0, string.gsub(duration, "([%d%.]+)%s*(%a+)%s*", "")
  if rest ~= "" or duration == "" then return nil, "'" .. duration .. "' is no duration such as 1h30m" end
  for number, unit in string.gmatch(duration, "([%d%.]+)%s*(%a+)") do
    local scale, value = units[string.lower(unit)], tonumber(number)
    if not scale or not value then return nil, "'" .. duration .. "' is no duration such as 1h30m" end
    total = total + value * scale
  end
  return total
end

---Seconds that have passed since an instant (negative: it is to come).
---@param ms number
---@return number seconds
function time.since(ms)
  return (raw.now() - ms) / 1000
end

---The instant that is `seconds` later (or, negative, earlier).
---@param ms number
---@param seconds number
---@return number ms
function time.add(ms, seconds)
  return floor(ms + seconds * 1000 + 0.5)
end

---The instant of a Unix time in seconds, as many APIs give it.
---@param seconds number
---@return number ms
function time.fromSeconds(seconds)
  return floor(seconds * 1000 + 0.5)
end

return time
