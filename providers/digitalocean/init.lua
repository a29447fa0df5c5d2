-- digitalocean: snapshots of Droplets. Tested against simulators only; README.md says what is and is not possible.
--
-- A snapshot is started as an action, which has an id but no name; the snapshot it makes has the name we give it, made of the result's uuid.
-- While the action runs only its id tells of it, afterwards the name does.
--
-- Invariants: the id of the action is saved as soon as it is known. A start whose answer was lost is never sent again before
-- DigitalOcean has said that nothing runs on the Droplet and that there is no snapshot of that name.
local PUBLIC = "https://api.digitalocean.com"

local provider = Provider {
  apiVersion = 1, code = "digitalocean", name = "DigitalOcean (Droplet snapshots)", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "serviceToken", fieldLabel = "API token", inputType = "password", required = true },
    { fieldName = "serviceUrl", fieldLabel = "Address of the API", defaultValue = PUBLIC },
    { fieldName = "host", fieldLabel = "Host of the API", helpText = "in place of its public address: https, and `port` if it is not 443" },
  },
  optionTypes = {
    { fieldName = "dropletId", fieldLabel = "Number of the Droplet", helpText = "if not given: the externalId of the server that the Backup is for" },
  },
  refreshInterval = 30, visibilityDelay = 30, timeout = 24 * 3600,
  needs = { http = { "${connection.serviceUrl}", "${connection.host}" } },
}

local GIGABYTE = 1e9
local DAY = 86400000   -- milliseconds: their clock may be so much behind ours
local KNOWN = 500      -- so many ids from before are kept in mind; of more, their dates have to tell
local LISTED_WAIT = 30 -- seconds for which a deletion looks for a snapshot that may have been made
local PATIENCE = 600 -- seconds for which a request is held back where the rate limit says so

-- ---- the API ----

-- Sends a request below /v2; `options` as http.request has them.
local function call(connection, method, segments, options)
  options = options or {}
  local base = external.address(connection, PUBLIC):gsub("/+$", ""):gsub("/v2$", "")
  options.method, options.url, options.bearer = method, url.path(base, "v2", unpack(segments)), connection.serviceToken
  return http.request(options)
end

-- Why it was not done, in one line.
local function reason(reply)
  local said = reply:content()
  return external.reason(reply, "DigitalOcean", said.message or said.id)
end

local function idText(id)
  return type(id) == "number" and string.format("%.0f", id) or id and tostring(id) or nil
end

-- The rows of a list, all pages of it, or nil; and where that is not the whole list, why, and the answer that says so.
local function list(connection, segments, key)
  local rows, total, isList, reply = {}, 0, nil, nil
  for page in http.pages {
    query = { per_page = 200, page = 1 },
    get = function(query)
      reply = call(connection, "GET", segments, { query = query })
      return reply:content()
    end,
    next = function(said) return said.links and said.links.pages and said.links.pages.next end,
  } do
    isList = reply.status == 200 and type(page[key]) == "table"
    for _, row in ipairs(isList and page[key] or {}) do rows[#rows + 1] = row end
    total = math.max(total, tonumber(page.meta and page.meta.total) or 0)
  end
  if not isList then return nil, reason(reply), reply end
  return rows, #rows < total and string.format("DigitalOcean lists %d of %d %s", #rows, total, key) or nil, reply
end

-- ---- this result's snapshot ----

local function nameOf(result) return "orrery-" .. result.uuid end
local function dropletOf(result) return result:getConfigProperty("digitalocean.dropletId") end

-- Our snapshot of that Droplet; nil: it is not listed; or false, why that is not known, and the answer that did not tell.
local function findSnapshot(result)
  local rows, why, reply = list(result.backup.connection, { "droplets", dropletOf(result), "snapshots" }, "snapshots")
  for _, row in ipairs(rows or {}) do
    if row.name == nameOf(result) then return row end
  end
  if why then return false, why, reply end
end

local function instant(text) return type(text) == "string" and time.parse(text) or nil end

-- What is done, and was done, to the Droplet that makes snapshots; nil: DigitalOcean does not list it.
local function listActions(result)
  local rows, why = list(result.backup.connection, { "droplets", dropletOf(result), "actions" }, "actions")
  local actions = {}
  for _, row in ipairs(rows or {}) do
    if row.type == nil or row.type == "snapshot" or row.status == "in-progress" then actions[#actions + 1] = row end
  end
  return not why and actions or nil
end

-- The one of these that may be this result's: it was not there before; where that is not known, it is not from long before. One that errored only where
-- there is no other, and it is certainly new.
local function findAction(result, actions)
  local known, taken, errored = result:getConfigProperty("digitalocean.known"), {}, nil
  for _, id in ipairs(known or {}) do taken[id] = true end
  for _, other in ipairs(result.backup:results { limit = 100 }) do
    if other.uuid ~= result.uuid then taken[other.externalId or ""] = true end
  end
  for _, action in ipairs(actions) do
    local at = instant(action.started_at)
    local isOld = taken[idText(action.id)] or not known and action.status == "completed" and at and at < result.sentDate - DAY
    if not isOld and action.status ~= "errored" then return action end
    if not isOld and known then errored = errored or action end
  end
  return errored
end

local function finish(result, snapshot, action)
  result.snapshotId = idText(snapshot.id)
  result:setConfigProperty("digitalocean.known", nil) -- it has done its duty
  local size = tonumber(snapshot.size_gigabytes)
  if size then result.sizeInBytes = math.floor(size * GIGABYTE) end
  external.dates(result, action and instant(action.started_at), instant(action and action.completed_at or snapshot.created_at))
  result.statusMessage = nil -- of what was in the way before
  result.progress, result.status = 100, "SUCCEEDED"
end

-- ---- hooks ----

function provider.testConnection(connection)
  local reply = call(connection, "GET", { "regions" })
  if reply.status == 401 then return false, "the API token is not accepted: " .. reason(reply) end
  if reply.status ~= 200 or not reply.json() then return false, reason(reply) end
  return true, "DigitalOcean answers, and accepts the API token"
end

function provider.validateBackup(backup, config, opts)
  local droplet, errors = backup:getConfigProperty("dropletId"), opts.errors
  external.address(backup.connection, PUBLIC) -- raises where that is not clear
  if droplet and not tostring(droplet):match("^%d+$") then errors.dropletId = "is the number of a Droplet, not '" .. tostring(droplet) .. "'" end
  return { success = next(errors) == nil, errors = errors }
end

function provider.prepareBackupResult(backupResult)
  local droplet = external.target(backupResult, "dropletId")
  if not droplet then return false, "which Droplet? Give dropletId, or a server with an externalId" end
  backupResult:setConfigProperty("digitalocean.dropletId", idText(droplet))
  local known, isRead, actions = json.array {}, pcall(listActions, backupResult)
  if not isRead and actions.retryable then error(actions, 0) end -- else it is a list without an end, which tells nothing
  for i, action in ipairs(isRead and actions or {}) do known[i] = idText(action.id) end
  backupResult:setConfigProperty("digitalocean.known", isRead and actions and #known <= KNOWN and known or nil)
end

function provider.executeBackup(backup, backupResult)
  local reply = call(backup.connection, "POST", { "droplets", dropletOf(backupResult), "actions" },
    { json = { type = "snapshot", name = nameOf(backupResult) }, patience = PATIENCE })
  if reply.isRefusal then
    backupResult:setConfigProperty("digitalocean.isRefused", true)
    return false, reason(reply)
  end
  local action = reply:content().action
  local id = type(action) == "table" and idText(action.id)
  if not id then error(reason(reply)) end -- it may run: recoverBackupResult finds out
  backupResult.externalId = id
  backupResult:save()
end

-- The snapshot is there: it ran. An action that runs on the Droplet, or has ended since, may be ours, and what it makes will have our name: asked
-- again. An action that has errored makes nothing: taken for ours, as refreshing will say. There is no such action and no snapshot: it was never begun.
-- An API without the list of actions cannot say so.
function provider.recoverBackupResult(backupResult, opts)
  local snapshot, why = findSnapshot(backupResult)
  if snapshot then
    backupResult.externalId = idText(snapshot.id)
    finish(backupResult, snapshot)
    return true
  end
  local actions = snapshot == nil and listActions(backupResult)
  if not actions then return external.lookAgain(why or "there is no snapshot " .. nameOf(backupResult) .. " yet; it may still be made", opts) end
  local action = findAction(backupResult, actions)
  if action and action.status == "errored" then
    backupResult.externalId = idText(action.id)
    return true
  elseif action then
    return external.lookAgain("an action on the Droplet may be this one: " .. tostring(idText(action.id)), opts)
  end
  if opts.attempt < 2 then return external.lookAgain("nothing runs on the Droplet; looking once more", opts) end
  return ServiceResponse.success { found = false }
end

function provider.refreshBackupResult(backupResult)
  local id = backupResult.externalId
  local reply = call(backupResult.backup.connection, "GET", { "actions", id })
  if reply.status == 404 then
    local snapshot, why, unread = findSnapshot(backupResult) -- which outlives the word of the action
    if snapshot then return finish(backupResult, snapshot) end
    if snapshot == false then return external.later(unread, why) end
    return ServiceResponse.gone("DigitalOcean has no action " .. id)
  end
  local action = reply:content().action
  local status = reply.status == 200 and type(action) == "table" and action.status
  if type(status) ~= "string" then return external.later(reply, reason(reply)) end
  external.dates(backupResult, instant(action.started_at))
  if status == "completed" then
    local snapshot, why = findSnapshot(backupResult)
    if snapshot then return finish(backupResult, snapshot, action) end
    return ServiceResponse.retry("the action " .. id .. " is completed, but there is no snapshot " .. nameOf(backupResult) .. (why and ": " .. why or " yet"))
  elseif status == "errored" then
    external.dates(backupResult, instant(action.started_at), instant(action.completed_at))
    backupResult:setConfigProperty("digitalocean.known", nil)
    backupResult.errorMessage = tostring(action.message or action.error or "DigitalOcean says no more than that the action " .. id .. " errored")
    backupResult.status = "FAILED"
  elseif status ~= "in-progress" then
    external.unknownStatus(backupResult, "DigitalOcean", status)
  end
end

function provider.cancelBackup()
  return false, "DigitalOcean cannot cancel a snapshot"
end

-- What there is to delete: the id of the snapshot; nil: nothing; or false and the answer to give.
local function outputOf(result)
  if result.snapshotId then return result.snapshotId end
  if result:getConfigProperty("digitalocean.isRefused") or not result.sentDate then return nil end
  local reply = result.externalId and call(result.backup.connection, "GET", { "actions", result.externalId })
  local action = reply and reply.status == 200 and reply:content().action
  local status = type(action) == "table" and action.status
  if reply and reply.status ~= 404 and not status then return false, external.unread(reply, reason(reply)) end
  if status and status ~= "completed" and status ~= "errored" then return false, ServiceResponse.retry("the snapshot is still being made") end
  local begun = time.now()
  while true do -- what has just been made may not be listed yet
    local snapshot, why, unread = findSnapshot(result)
    if snapshot == false then return false, external.unread(unread, why) end
    if snapshot then return idText(snapshot.id) end
    if status == "errored" then return nil end
    if time.since(begun) > LISTED_WAIT then break end
    sleep(5)
  end
  if status then return false, ServiceResponse.retry("the snapshot was made, but DigitalOcean does not list it") end
  local other = not result.externalId and findAction(result, listActions(result) or {})
  if other and other.status ~= "errored" then return false, ServiceResponse.retry("an action on the Droplet may still make the snapshot") end
  return nil
end

function provider.deleteBackupResult(backupResult)
  local id, answer = outputOf(backupResult)
  if answer then return answer end
  if not id then return true, "there is nothing of it at DigitalOcean" end
  local reply = call(backupResult.backup.connection, "DELETE", { "snapshots", id }, { patience = PATIENCE })
  return external.deletion(reply, "DigitalOcean", "the snapshot " .. id, reason(reply))
end

return provider
