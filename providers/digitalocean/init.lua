-- digitalocean: snapshots of Droplets. Tested against simulators only; README.md says what is and is not possible.
--
-- A snapshot is started as an action, which has an id but no name; the snapshot it makes has the name we give it, made of the result's uuid.
-- While the action runs only its id tells of it, afterwards the name does.
--
-- Invariants: the id of the action is saved as soon as it is known. A start whose answer was lost is never sent again before
-- DigitalOcean has said that nothing runs on the Droplet and that there is no snapshot of that name.
local provider = Provider {
  apiVersion = 1, code = "digitalocean", name = "DigitalOcean (Droplet snapshots)", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "serviceToken", fieldLabel = "API token", inputType = "password", required = true },
    { fieldName = "serviceUrl", fieldLabel = "Address of the API", defaultValue = "https://api.digitalocean.com" },
  },
  optionTypes = {
    { fieldName = "dropletId", fieldLabel = "Number of the Droplet", helpText = "if not given: the externalId of the server that the Backup is for" },
  },
  refreshInterval = 30, visibilityDelay = 30, timeout = 24 * 3600,
  needs = { http = { "${connection.serviceUrl}" } },
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
  local base = connection.serviceUrl:gsub("/+$", ""):gsub("/v2$", "")
  options.method, options.url, options.bearer = method, url.path(base, "v2", unpack(segments)), connection.serviceToken
  return http.request(options)
end

-- Why it was not done, in one line.
local function reason(reply)
  local said = reply:content()
  local text = said.message or said.id or reply.body:sub(1, 200):match("[^\r\n]+") or "without a word"
  return "DigitalOcean answered " .. reply.status .. ": " .. tostring(text)
end

local function idText(id)
  return type(id) == "number" and string.format("%.0f", id) or id and tostring(id) or nil
end

-- The rows of a list, all pages of it; or nil and the answer that was none.
local function list(connection, segments, key)
  local rows, failed = {}, nil
  for page in http.pages {
    query = { per_page = 200, page = 1 },
    get = function(query)
      local reply = call(connection, "GET", segments, { query = query })
      local said = reply:content()
      if reply.status ~= 200 or type(said[key]) ~= "table" then failed = reply return {} end
      return said
    end,
    next = function(said) return said.links and said.links.pages and said.links.pages.next end,
  } do
    for _, row in ipairs(page[key] or {}) do rows[#rows + 1] = row end
  end
  if failed then return nil, failed end
  return rows
end

-- ---- this result's snapshot ----

local function nameOf(result) return "orrery-" .. result.uuid end
local function dropletOf(result) return result:getConfigProperty("digitalocean.dropletId") end

-- Our snapshot of that Droplet, or nil; or false and the answer that did not tell.
local function findSnapshot(result)
  local rows, failed = list(result.backup.connection, { "droplets", dropletOf(result), "snapshots" }, "snapshots")
  if not rows then return false, failed end
  for _, row in ipairs(rows) do
    if row.name == nameOf(result) then return row end
  end
end

local function instant(text) return type(text) == "string" and time.parse(text) or nil end

-- What is done, and was done, to the Droplet that makes snapshots; nil: DigitalOcean does not list it.
local function listActions(result)
  local rows, actions = list(result.backup.connection, { "droplets", dropletOf(result), "actions" }, "actions"), {}
  for _, row in ipairs(rows or {}) do
    if row.type == nil or row.type == "snapshot" or row.status == "in-progress" then actions[#actions + 1] = row end
  end
  return rows and actions
end

-- The first of these that may be this result's and has not failed: not there before and, where that is not known, not from long before.
local function findAction(result, actions)
  local known, taken = result:getConfigProperty("digitalocean.known"), {}
  for _, id in ipairs(known or {}) do taken[id] = true end
  for _, other in ipairs(result.backup:results { limit = 100 }) do
    if other.uuid ~= result.uuid then taken[other.externalId or ""] = true end
  end
  for _, action in ipairs(actions) do
    local at = instant(action.started_at)
    local isOver = action.status == "completed" and (taken[idText(action.id)] or not known and at and at < result.sentDate - DAY)
    if not isOver and action.status ~= "errored" then return action end
  end
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
  if reply.status ~= 200 then return false, reason(reply) end
  return true, "DigitalOcean answers, and accepts the API token"
end

function provider.validateBackup(backup, config, opts)
  local droplet, errors = backup:getConfigProperty("dropletId"), opts.errors
  if not backup.connection then return false, "a connection is needed: --connection" end
  if droplet and not tostring(droplet):match("^%d+$") then errors.dropletId = "is the number of a Droplet, not '" .. tostring(droplet) .. "'" end
  return { success = next(errors) == nil, errors = errors }
end

function provider.prepareBackupResult(backupResult)
  local server = backupResult.computeServer or backupResult.backup.computeServer
  local droplet = backupResult.backup:getConfigProperty("dropletId") or (server and server.externalId)
  if not droplet then return false, "which Droplet? Give dropletId, or a server with an externalId" end
  backupResult:setConfigProperty("digitalocean.dropletId", idText(droplet))
  local known, actions = json.array {}, listActions(backupResult)
  for i, action in ipairs(actions or {}) do known[i] = idText(action.id) end
  backupResult:setConfigProperty("digitalocean.known", actions and #known <= KNOWN and known or nil)
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
-- again. There is no such action and no snapshot: it was never begun. An API without the list of actions cannot say so.
function provider.recoverBackupResult(backupResult, opts)
  local snapshot, failed = findSnapshot(backupResult)
  if snapshot then
    backupResult.externalId = idText(snapshot.id)
    finish(backupResult, snapshot)
    return true
  end
  local actions = snapshot == nil and listActions(backupResult)
  if not actions then
    return external.lookAgain(failed and reason(failed) or "there is no snapshot " .. nameOf(backupResult) .. " yet; it may still be made", opts)
  end
  local action = findAction(backupResult, actions)
  if action then
    local what = action.status == "completed" and "an action has ended" or "an action runs"
    return external.lookAgain(what .. " on the Droplet that may be this one: " .. tostring(idText(action.id)), opts)
  end
  if opts.attempt < 2 then return external.lookAgain("nothing runs on the Droplet; looking once more", opts) end
  return ServiceResponse.success { found = false }
end

function provider.refreshBackupResult(backupResult)
  local id = backupResult.externalId
  local reply = call(backupResult.backup.connection, "GET", { "actions", id })
  if reply.status == 404 then
    local snapshot = findSnapshot(backupResult) -- which outlives the word of the action
    if snapshot then return finish(backupResult, snapshot) end
    return ServiceResponse.gone("DigitalOcean has no action " .. id)
  end
  local action = reply:content().action
  local status = reply.status == 200 and type(action) == "table" and action.status
  if type(status) ~= "string" then return ServiceResponse.retry(reason(reply)) end
  external.dates(backupResult, instant(action.started_at))
  if status == "completed" then
    local snapshot, failed = findSnapshot(backupResult)
    if snapshot then return finish(backupResult, snapshot, action) end
    return ServiceResponse.retry("the action " .. id .. " is completed, but there is no snapshot " .. nameOf(backupResult) .. (failed and ": " .. reason(failed) or " yet"))
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
  if reply and reply.status ~= 404 and not status then return false, ServiceResponse.retry(reason(reply)) end
  if status and status ~= "completed" and status ~= "errored" then return false, ServiceResponse.retry("the snapshot is still being made") end
  local begun = time.now()
  while true do -- what has just been made may not be listed yet
    local snapshot, failed = findSnapshot(result)
    if snapshot == false then return false, ServiceResponse.error(reason(failed)) end
    if snapshot then return idText(snapshot.id) end
    if status == "errored" then return nil end
    if time.since(begun) > LISTED_WAIT then break end
    sleep(5)
  end
  if status then return false, ServiceResponse.retry("the snapshot was made, but DigitalOcean does not list it") end
  if not result.externalId and findAction(result, listActions(result) or {}) then return false, ServiceResponse.retry("an action on the Droplet may still make the snapshot") end
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
