-- upcloud: backups of a server's disks. Tested against simulators only; README.md says what is and is not possible.
--
-- A backup is made of each disk by itself, with a title made of the result's uuid. The disks ("parts") are written down before the first is asked
-- for, and the backup of each as soon as it is known, so a crash or a refusal in the midst loses none: what was made is found and used, or,
-- where the whole cannot be had, removed.
--
-- Invariant: a backup is asked for only where none of its title is there, or after UpCloud has listed its backups without it.
local PUBLIC = "https://api.upcloud.com/1.3"

local provider = Provider {
  apiVersion = 1, code = "upcloud", name = "UpCloud (backups of disks)", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "username", fieldLabel = "User of the API", required = true },
    { fieldName = "password", fieldLabel = "Password", inputType = "password", required = true },
    { fieldName = "serviceUrl", fieldLabel = "Address of the API", defaultValue = PUBLIC },
    { fieldName = "host", fieldLabel = "Host of the API", helpText = "in place of its public address: https, and `port` if it is not 443" },
  },
  optionTypes = {
    { fieldName = "serverUuid", fieldLabel = "UUID of the server", helpText = "if not given: the externalId of the server that the Backup is for" },
    { fieldName = "disks", fieldLabel = "UUIDs of the disks", inputType = "list", helpText = "with commas between them; if not given: all disks of the server" },
  },
  refreshInterval = 30, visibilityDelay = 45, timeout = 24 * 3600,
  timeouts = { refreshBackupResult = 300, recoverBackupResult = 300 }, -- a request for each disk, or page
  needs = { http = { "${connection.serviceUrl}", "${connection.host}" } },
}

local GIGABYTE = 1e9
local PATIENCE = 300     -- seconds for which a request is held back where the rate limit says so
local SOURCE_WAIT = 600  -- seconds until a disk that something else is done to must be online

-- ---- the API ----

-- Sends a request; `options` as http.request has them.
local function call(connection, method, segments, options)
  options = options or {}
  local base = external.address(connection, PUBLIC):gsub("/+$", "")
  if not base:find("/%d+%.%d+$") then base = base .. "/1.3" end
  options.method, options.url = method, url.path(base, unpack(segments))
  options.auth = { username = connection.username, password = connection.password }
  return http.request(options)
end

-- Why it was not done, in one line.
local function reason(reply)
  local said = reply:content("error")
  return external.reason(reply, "UpCloud", said.error_code and tostring(said.error_code) .. ": " .. tostring(said.error_message or ""))
end

-- ---- the parts of a result ----

-- The parts, { disk, title, backup }. Where a person has said by which ids it runs, those are the backups, in the order of the disks.
local function partsOf(result)
  local parts, i = result:getConfigProperty("upcloud.parts") or {}, 0
  for id in (result.externalId or ""):gmatch("[^,%s]+") do
    i = i + 1
    if parts[i] then parts[i].backup = parts[i].backup or id end
  end
  return parts
end

-- Writes the parts down, for good.
local function keep(result, parts)
  local ids = {}
  for _, part in ipairs(parts) do ids[#ids + 1] = part.backup end
  result:setConfigProperty("upcloud.parts", parts)
  result.externalId = #ids > 0 and table.concat(ids, ",") or nil
  result:save()
end

-- The backups in a list of storages, by title; or nil and the answer that was no list. How long its pages are, and whether it has any, it does not say:
-- it is asked for more until nothing new comes.
local function list(connection, segments)
  local byTitle, seen, count, hasNews = {}, {}, 0, true
  while hasNews do
    local reply = call(connection, "GET", segments, { query = count > 0 and { offset = count, limit = 100 } or nil })
    local storages = reply:content().storages
    hasNews = false
    if count > 0 and reply.status == 400 then storages = {} -- it knows no offset: that was all
    elseif reply.status ~= 200 or type(storages) ~= "table" then return nil, reply end
    for _, row in ipairs(storages.storage or {}) do
      count, hasNews = count + 1, hasNews or not seen[tostring(row.uuid)]
      seen[tostring(row.uuid)] = true
      if row.title and (row.type or "backup") == "backup" then byTitle[row.title] = row.uuid end
    end
  end
  return byTitle
end

-- Looks for the backups that are not known, by title, and writes down what it finds. Is it certain now which there are? If not, what was in the way,
-- and the answer that says so.
local function find(result, parts)
  local connection, isWhole = result.backup.connection, true
  for _, part in ipairs(parts) do isWhole = isWhole and part.backup end
  if isWhole then return true end
  local byTitle, unread = list(connection, { "storage", "backup" })
  if not byTitle then byTitle, unread = list(connection, { "storage" }) end
  if not byTitle then return false, "what there is of it cannot be said: " .. reason(unread), unread end
  for _, part in ipairs(parts) do part.backup = part.backup or byTitle[part.title] end
  keep(result, parts)
  return true
end

-- What could not be made whole is removed, by cleanUp.
local function abandon(result, why)
  defer("removeParts")
  result:setConfigProperty("upcloud.isAbandoned", true)
  return false, why
end

-- ---- before and at the start ----

function provider.testConnection(connection)
  local reply = call(connection, "GET", { "account" })
  if reply.status == 401 or reply.status == 403 then return false, "user and password are not accepted: " .. reason(reply) end
  if not reply.json() or reply.status ~= 200 and reply.status ~= 404 then return false, reason(reply) end -- 404: an API without accounts
  return true, "UpCloud answers, and accepts user and password"
end

function provider.validateBackup(backup)
  external.address(backup.connection, PUBLIC) -- raises where that is not clear
end

-- Which disks: of the server, as it is now.
function provider.prepareBackupResult(backupResult)
  local backup = backupResult.backup
  local server, wanted = external.target(backupResult, "serverUuid"), {}
  if not server then return false, "which server? Give serverUuid, or a server with an externalId" end
  local reply = call(backup.connection, "GET", { "server", server })
  local devices = reply:content("server", "storage_devices").storage_device
  if reply.status ~= 200 or type(devices) ~= "table" then return external.unread(reply, reason(reply)) end
  for disk in table.concat(backup:getConfigProperty("disks") or {}, ","):gmatch("[^,%s]+") do wanted[disk] = true end
  local isAll, parts = next(wanted) == nil, {}
  for _, device in ipairs(devices) do
    if device.storage and device.type ~= "cdrom" and (isAll or wanted[device.storage]) then
      parts[#parts + 1] = { disk = device.storage, title = "orrery-" .. backupResult.uuid .. "-" .. #parts + 1 }
      wanted[device.storage] = nil
    end
  end
  if next(wanted) or #parts == 0 then return false, "the server " .. server .. " has no disk " .. (next(wanted) or "at all") end
  backupResult:setConfigProperty("upcloud.parts", parts)
end

-- Has the backup of a part made, as soon as nothing else is done to its disk, and notes it; or answers why not, for certain. Raises where that
-- is not known: then recoverBackupResult finds out.
local function start(connection, part)
  local begun, refusals = time.now(), 0
  while true do
    local source = call(connection, "GET", { "storage", part.disk }, { patience = PATIENCE })
    local state = source:content("storage").state
    if source.isRefusal then return reason(source) end
    if state == "error" then return "it is in state error" end
    if state == "online" then
      local reply = call(connection, "POST", { "storage", part.disk, "backup" }, { json = { storage = { title = part.title } }, patience = PATIENCE })
      part.backup = reply.status < 300 and reply:content("storage").uuid or nil
      if part.backup then return nil end
      if not reply.isRefusal then error(reason(reply), 0) end
      refusals, state = refusals + 1, reply:content("error").error_code -- something else may have begun in between
      if state ~= "STORAGE_STATE_ILLEGAL" or refusals == 5 then return reason(reply) end
    end
    if time.since(begun) > SOURCE_WAIT then return "it is " .. tostring(state or source.status) .. " and does not become online" end
    sleep(2)
  end
end

function provider.executeBackup(backup, backupResult)
  local parts = partsOf(backupResult)
  for _, part in ipairs(parts) do
    local why = not part.backup and start(backup.connection, part)
    if why then return abandon(backupResult, "the disk " .. part.disk .. ": " .. why) end
    keep(backupResult, parts)
  end
end

-- All parts are there: it ran. Some are certainly not: executeBackup makes those. Only the first of them can have been asked for, and while its
-- disk is being backed up, that may be it.
function provider.recoverBackupResult(backupResult, opts)
  local parts = partsOf(backupResult)
  local isCertain, why = find(backupResult, parts)
  for _, part in ipairs(parts) do
    if not part.backup then
      local source = isCertain and call(backupResult.backup.connection, "GET", { "storage", part.disk }):content("storage")
      if opts.attempt > 1 and source and source.state ~= "backuping" then return ServiceResponse.success { found = false } end
      return external.lookAgain(why or "there is no backup " .. part.title .. " yet; it may still be made", opts)
    end
  end
  return true
end

-- ---- afterwards ----

local going = { maintenance = true, cloning = true, backuping = true }

function provider.refreshBackupResult(backupResult)
  local parts, size, done, lost = partsOf(backupResult), 0, 0, nil
  find(backupResult, parts) -- where a person has said that it ran
  for _, part in ipairs(parts) do
    local reply = part.backup and call(backupResult.backup.connection, "GET", { "storage", part.backup })
    local storage = reply and reply:content("storage")
    if not reply or reply.status == 404 then
      lost = lost or "UpCloud has no backup " .. (part.backup or part.title) .. " of the disk " .. part.disk
    elseif reply.status ~= 200 or type(storage.state) ~= "string" then
      return external.later(reply, reason(reply))
    elseif storage.state == "error" then
      return abandon(backupResult, "the backup " .. part.backup .. " of the disk " .. part.disk .. " is in state error")
    elseif storage.state == "online" then
      done, size = done + 1, size + (tonumber(storage.size) or 0)
    elseif not going[storage.state] then
      external.unknownStatus(backupResult, "UpCloud", storage.state)
    end
  end
  if done == #parts then
    if size > 0 then backupResult.sizeInBytes = size * GIGABYTE end
    backupResult.statusMessage, backupResult.snapshotId, backupResult.status = nil, parts[1].backup, "SUCCEEDED"
  elseif backupResult.deadlineDate and time.now() >= backupResult.deadlineDate then
    return abandon(backupResult, "not at its end by its deadline: " .. (lost or done .. " of " .. #parts .. " backups are made, and UpCloud cannot cancel"))
  elseif lost then
    return ServiceResponse.gone(lost)
  elseif #parts > 1 then
    backupResult.progress, backupResult.statusMessage = math.floor(100 * done / #parts), string.format("%d of %d disks", done, #parts)
  end
end

function provider.cancelBackup()
  return false, "UpCloud cannot cancel a backup"
end

function provider.deleteBackupResult(backupResult)
  local parts, count = partsOf(backupResult), 0
  if backupResult.sentDate and not backupResult:getConfigProperty("upcloud.isAbandoned") then -- there may be some that nobody has heard of
    local isCertain, why, unread = find(backupResult, parts)
    if not isCertain then return external.unread(unread, why) end
  end
  for _, part in ipairs(parts) do
    if part.backup then
      local reply = call(backupResult.backup.connection, "DELETE", { "storage", part.backup }, { patience = PATIENCE })
      local answer, why = external.deletion(reply, "UpCloud", "the backup " .. part.backup, reason(reply))
      if answer ~= true then return answer, why end
      if reply.status ~= 404 then count = count + 1 end
    end
  end
  return true, count > 0 and "backups deleted: " .. count or "the backups were gone already"
end

-- Of a result that did not come to a good end nothing stays.
function provider.cleanUp(backupResult)
  if backupResult.status == "SUCCEEDED" then return true end
  return provider.deleteBackupResult(backupResult)
end

return provider
