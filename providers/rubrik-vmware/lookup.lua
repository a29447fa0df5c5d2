-- Which request or snapshot of a VM is the one of a result whose start was not answered: what can be a start, and was not there before.
-- Decides nothing: it answers the only one there is, or none.
local api = require "api"

local lookup = {}

local CLOCKS = 10 -- seconds that their clock may be behind ours
local KNOWN = 500 -- so many ids from before are kept in mind; of more, their dates have to tell

-- Calls look(id, date) for what of a VM can be a start: its on-demand snapshots. False and the answer if there is no list.
local function eachSnapshot(connection, vm, look)
  local rows, failed = api.list(connection, { "vmware", "vm", vm, "snapshot" })
  for _, row in ipairs(rows or {}) do
    if row.isOnDemandSnapshot == true and row.id then look(row.id, row.date) end
  end
  return rows ~= nil, failed
end

-- The same for the requests of snapshots that events tell of. Not every Rubrik does.
local function eachRequest(connection, vm, look)
  for _, row in ipairs(api.list(connection, { "event", "latest" }, { object_ids = vm }) or {}) do
    local event = type(row.latestEvent) == "table" and row.latestEvent or row
    local id = event.jobInstanceId
    if type(id) == "string" and (event.eventType == "Backup" or id:find("^CREATE_VMWARE_SNAPSHOT")) then look(id, event.time) end
  end
end

-- The ids of all that there is of a VM; nil where that cannot be said, or is too much to keep.
function lookup.known(connection, vm)
  local known = json.array {}
  local function keep(id) known[#known + 1] = id end
  local ok, isListed = pcall(function()
    eachRequest(connection, vm, keep)
    return (eachSnapshot(connection, vm, keep))
  end)
  if not ok and isListed.code ~= "limit" then error(isListed, 0) end -- a list that does not end is no reason not to start
  return ok and isListed and #known <= KNOWN and known or nil
end

-- Tells, of the id and the date of a request or a snapshot, whether it may be of this result: it was not there before or, where that is not
-- known, is not from before `since`; and no other result of the Backup has it.
local function isNew(result, since)
  local taken, known = {}, result:getConfigProperty("rubrik.known")
  for _, id in ipairs(known or {}) do taken[id] = true end
  for _, other in ipairs(result.backup:results { limit = 100 }) do
    if other.uuid ~= result.uuid then taken[other.externalId or ""], taken[other.snapshotId or ""] = true, true end
  end
  return function(id, date)
    local at = type(date) == "string" and time.parse(date)
    return not taken[id] and (known ~= nil or at ~= nil and at ~= false and at >= since - CLOCKS * 1000)
  end, taken
end

-- The one snapshot of the VM that may be of this result; nil, why (none, or several, or no list), and whether asking again may help.
function lookup.snapshot(result, since)
  local may, found, count = isNew(result, since), nil, 0
  local isListed, failed = eachSnapshot(result.backup.connection, result:getConfigProperty("rubrik.vmId"), function(id, date)
    if may(id, date) then found, count = id, count + 1 end
  end)
  if not isListed then return nil, api.reason(failed), not failed.isRefusal end
  if count == 1 then return found end
  return nil, count == 0 and "there is no snapshot of it yet" or count .. " snapshots may be it", count == 0
end

-- The one request that may be of this result; nil: none, or several, or no events.
function lookup.request(result, since)
  local connection, found, count = result.backup.connection, nil, 0
  local may, taken = isNew(result, since)
  eachRequest(connection, result:getConfigProperty("rubrik.vmId"), function(id, date)
    if taken[id] then return end
    local reply = api.call(connection, "GET", { "vmware", "vm", "request", id })
    if reply.status == 200 and may(id, reply:content().startTime or date) then found, count = id, count + 1 end
    taken[id] = true
  end)
  return count == 1 and found or nil
end

return lookup
