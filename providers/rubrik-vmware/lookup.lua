-- Which request or snapshot of a VM is the one of a result whose start was not answered: what can be a start, and was not there before it.
-- Decides nothing: it answers the only one there is, or none.
local api = require "api"

local lookup = {}

local CLOCKS = 10 -- seconds that their clock may be behind ours, where only dates can tell what was there before
local LATE = 300  -- what began so many seconds after the start was sent is another; until then dates, which their clock may shift, do not count

local function instant(text) return type(text) == "string" and time.parse(text) or nil end

-- What there is of a result's VM that can be a start, { id, date, isRequest } each: the requests that events tell of, which not every Rubrik has,
-- and the on-demand snapshots. Or nil and why not.
local function look(result)
  local connection, vm, found, seen = result.backup.connection, result:getConfigProperty("rubrik.vmId"), {}, {}
  local function add(id, date, isRequest)
    if type(id) == "string" and not seen[id] then found[#found + 1], seen[id] = { id = id, date = date, isRequest = isRequest }, true end
  end
  for _, row in ipairs(api.list(connection, { "event", "latest" }, { object_ids = vm }) or {}) do
    local event = type(row.latestEvent) == "table" and row.latestEvent or row
    local isStart = event.eventType == "Backup" or tostring(event.jobInstanceId):find("^CREATE_VMWARE_SNAPSHOT")
    if isStart and (event.objectId == nil or event.objectId == vm) then add(event.jobInstanceId, event.time, true) end
  end
  local rows, failed = api.list(connection, { "vmware", "vm", vm, "snapshot" })
  if not rows then return nil, api.reason(failed) end
  for _, row in ipairs(rows) do
    if row.isOnDemandSnapshot == true then add(row.id, row.date, false) end
  end
  return found
end

-- Keeps in mind, with the result, what there is before its start.
function lookup.prepare(result)
  local ok, found = pcall(look, result)
  if not ok and found.code ~= "limit" then error(found, 0) end -- a list that does not end is no reason not to start
  local ids = ok and found and {}
  for i, one in ipairs(ids and found or {}) do ids[i] = one.id end
  external.know(result, ids or nil)
end

-- Tells of an id, and its date, whether it may be of this result.
local function judge(result, since)
  local isFree, isKnown = external.isNew(result)
  return function(id, date)
    local at = instant(date)
    return isFree(id) and (isKnown or at ~= nil and at >= since - CLOCKS * 1000)
  end
end

-- The only snapshot of these; or nil, why, and whether asking again may help.
local function onlySnapshot(found, may, others)
  local snapshot, count = nil, 0
  for _, one in ipairs(found) do
    if not one.isRequest and may(one.id, one.date) and not others[one.id] then snapshot, count = one.id, count + 1 end
  end
  if count == 1 then return snapshot end
  return nil, count == 0 and "there is no snapshot of it yet" or count .. " snapshots may be it", count == 0
end

-- The one snapshot that may be of this result, which began at `startDate` by their clock; or nil, why, and whether asking again may help.
function lookup.snapshot(result, startDate)
  local found, why = look(result)
  if not found then return nil, why end
  return onlySnapshot(found, judge(result, instant(startDate) or result.sentDate), {})
end

-- The one request that may be of this result; or, where there is none, nil and the one snapshot; or nil, nil and why.
function lookup.start(result, since)
  local found, refused = look(result)
  if not found then return nil, nil, refused end
  local may, others, only, count = judge(result, since), {}, nil, 0
  for _, one in ipairs(found) do
    local request, failed = nil, nil
    if one.isRequest and may(one.id, one.date) then request, failed = api.readRequest(result.backup.connection, one.id) end
    if failed then api.unlessRefused(failed) end -- what is not to be found is no request, or forgotten
    local date, latest = request and instant(request.startTime), since + LATE * 1000
    if date and math.min(date, time.now()) > latest then others[api.snapshotOf(request) or ""] = true
    elseif request and may(one.id, request.startTime or one.date) then only, count = one.id, count + 1 end
  end
  if count > 0 then return count == 1 and only or nil, nil, count .. " requests may be it" end
  local snapshot, why = onlySnapshot(found, may, others)
  return nil, snapshot, why
end

return lookup
