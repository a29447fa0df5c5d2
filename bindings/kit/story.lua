-- What happened to a result, for people: one line how it is, and its journal.
local story = {}

--- "is FAILED: no such policy", "is IN_PROGRESS and needs attention (refresh_failing): ..."
function story.state(result)
  local text = "is " .. tostring(result.status)
  if result.attention then text = text .. (" and needs attention (%s)"):format(result.attention) end
  local message = result.errorMessage or result.statusMessage
  if message then text = text .. ": " .. message end
  if result.deleteError then text = text .. "; its deletion: " .. result.deleteError end
  return text
end

local BEGIN, DAY = 1767225600000, 86400000 -- virtual time begins there

local function clock(ms)
  local days = math.floor((ms - BEGIN) / DAY)
  local time = os.date("!%H:%M:%S", math.floor(ms / 1000)) .. ("%.3f"):format(ms / 1000 % 1):sub(2)
  return days > 0 and ("day %d %s"):format(days + 1, time) or time
end

local function opLine(op)
  local text = ("%-22s %s"):format(op.hook, op.outcome or op.state or "")
  if op.attempt and op.attempt > 1 then text = text .. (", attempt %d"):format(op.attempt) end
  if op.act then text = text .. (", sent %s"):format(op.act) end
  if op.message then text = text .. ": " .. op.message end
  return text
end

local function eventLine(event) return ("%-22s %s"):format(event.kind, event.message or "") end

--- Its hook calls and events in order, a line each, indented.
function story.journal(result)
  local lines = {}
  for _, op in ipairs(result.ops or {}) do table.insert(lines, { at = op.startDate or 0, order = #lines, text = opLine(op) }) end
  for _, event in ipairs(result.events or {}) do table.insert(lines, { at = event.date or 0, order = #lines, text = eventLine(event) }) end
  table.sort(lines, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.order < b.order
  end)
  for i, line in ipairs(lines) do lines[i] = ("    %s  %s"):format(clock(line.at), line.text) end
  return #lines > 0 and "  its journal:\n" .. table.concat(lines, "\n") or "  its journal is empty"
end

--- What the outside was asked, in order, a line each, indented; what was asked many times in a row is one line.
function story.outside(world)
  local lines, last = {}, nil
  for _, saw in ipairs(world.saw) do
    if last and last.name == saw.name and last.life == saw.life then
      last.count = last.count + 1
    else
      if last and last.life ~= saw.life then table.insert(lines, { text = "died" }) end
      last = { name = saw.name, life = saw.life, at = saw.at, count = 1 }
      table.insert(lines, last)
    end
  end
  for i, line in ipairs(lines) do
    local times = line.count and line.count > 1 and (" (%d times)"):format(line.count) or ""
    lines[i] = line.text and "    -- died --" or ("    %s  %s%s"):format(clock(line.at), line.name, times)
  end
  return "  the outside was asked:\n" .. table.concat(lines, "\n")
end

return story
