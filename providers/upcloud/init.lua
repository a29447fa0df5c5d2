-- upcloud: backups of a server's disks. Tested against simulators only; README.md says what is and is not possible.
--
-- A backup is made of each disk by itself, with a title made of the result's uuid. The disks ("parts") are written down before the first is asked
-- for, and the backup of each as soon as it is known, so a crash or a refusal in the midst loses none: what was made is found and used, or,
-- where the whole cannot be had, removed.
--
-- Invariant: a backup is asked for only where none of its title is there, or after UpCloud has listed its backups without it.
local provider = Provider {
  apiVersion = 1, code = "upcloud", name = "UpCloud (backups of disks)", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "username", fieldLabel = "User of the API", required = true },
    { fieldName = "password", fieldLabel = "Password", inputType = "password", required = true },
    { fieldName = "serviceUrl", fieldLabel = "Address of the API", defaultValue = "https://api.upcloud.com/1.3" },
  },
  optionTypes = {
    { fieldName = "serverUuid", fieldLabel = "UUID of the server", helpText = "if not given: the externalId of the server that the Backup is for" },
    { fieldName = "disks", fieldLabel = "UUIDs of the disks", inputType = "list", helpText = "if not given: all disks of the server" },
  },
  refreshInterval = 30, visibilityDelay = 45, timeout = 24 * 3600,
  needs = { http = { "${connection.serviceUrl}" } },
}

local GIGABYTE = 1e9
local PATIENCE = 300     -- seconds for which a request is held back where the rate limit says so
local SOURCE_WAIT = 600  -- seconds until a disk that something else is done to must be online
local PAGE = 100         -- a list of so many rows, or more, may go on
local TITLE = "orrery-"

-- ---- the API ----

-- Sends a request; `options` as http.request has them.
local function call(connection, method, segments, options)
  options = options or {}
  local base = connection.serviceUrl:gsub("/+$", "")
  if not base:find("/%d+%.%d+$") then base = base .. "/1.3" end
  options.method, options.url = method, url.path(base, unpack(segments))
  options.auth = { username = connection.username, password = connection.password }
  return http.request(options)
end

-- Why it was not done, in one line, and UpCloud's word for it.
local function reason(reply)
  local said = reply:content("error")
  local word = said.error_code and tostring(said.error_code)
  local text = word and word .. ": " .. tostring(said.error_message or "") or reply.body:sub(1, 200):match("[^\r\n]+") or "without a word"
  return "UpCloud answered " .. reply.status .. ": " .. text, word
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

-- Calls look(row) for all storages of a list, be it in pages or not. Nil; or why there is no such list.
local function each(connection, segments, look)
  local seen, count, hasNews = {}, 0, true
  while hasNews do
    local reply = call(connection, "GET", segments, { query = count > 0 and { offset = count, limit = PAGE } or nil })
    local rows = reply:content("storages").storage
    if reply.status ~= 200 or type(rows) ~= "table" then return (reason(reply)) end
    hasNews = false
    for _, row in ipairs(rows) do
      if row.uuid and not seen[row.uuid] then
        seen[row.uuid], hasNews = true, #rows >= PAGE
        look(row)
      end
    end
    count = count + #rows
  end
end

-- Looks for the backups that are not known, by title. Is it certain now which there are? If not, what was in the way.
local function find(result, parts)
  local missing = {}
  for _, part in ipairs(parts) do
    if not part.backup then missing[part.title] = part end
  end
  if next(missing) == nil then return true end
  local function look(row)
    if missing[row.title] then missing[row.title].backup = row.uuid end
  end
  local connection = result.backup.connection
  local why = each(connection, { "storage", "backup" }, look) and each(connection, { "storage" }, look)
  return why == nil, why and "what there is of it cannot be said: " .. why
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
  if reply.status >= 500 or reply.status == 429 then return false, (reason(reply)) end
  return true, "UpCloud answers, and accepts user and password"
end

function provider.validateBackup(backup, config, opts)
  if not backup.connection then return false, "a connection is needed: --connection" end
end

-- Which disks: of the server, as it is now.
function provider.prepareBackupResult(backupResult)
  local backup = backupResult.backup
  local machine, wanted = backupResult.computeServer or backup.computeServer, {}
  local server = backup:getConfigProperty("serverUuid") or (machine and machine.externalId)
  if not server then return false, "which server? Give serverUuid, or a server with an externalId" end
  local reply = call(backup.connection, "GET", { "server", server })
  if reply.isRefusal then return false, (reason(reply)) end
  local listed = reply:content("server").storage_devices
  local devices = type(listed) == "table" and listed.storage_device
  if reply.status ~= 200 or type(devices) ~= "table" then return ServiceResponse.retry((reason(reply))) end
  for _, disk in ipairs(backup:getConfigProperty("disks") or {}) do wanted[disk] = true end
  local isAll, parts = next(wanted) == nil, {}
  for _, device in ipairs(devices) do
    if device.storage and device.type ~= "cdrom" and (isAll or wanted[device.storage]) then
      parts[#parts + 1] = { disk = device.storage, title = TITLE .. backupResult.uuid .. "-" .. #parts + 1 }
      wanted[device.storage] = nil
    end
  end
  if next(wanted) then return false, "the server " .. server .. " has no disk " .. next(wanted) end
  if #parts == 0 then return false, "the server " .. server .. " has no disks" end
  backupResult:setConfigProperty("upcloud.parts", parts)
end

-- Has the backup of a part made, as soon as nothing else is done to its disk, and notes it. True; or nil and why not, for certain. Raises where that
-- is not known: then recoverBackupResult finds out.
local function start(connection, part)
  local begun, refusals = time.now(), 0
  while true do
    local source = call(connection, "GET", { "storage", part.disk })
    local state = source:content("storage").state
    if source.isRefusal then return nil, (reason(source)) end
    if state == "error" then return nil, "it is in state error" end
    if state == "online" then
      local reply = call(connection, "POST", { "storage", part.disk, "backup" }, { json = { storage = { title = part.title } }, patience = PATIENCE })
      local said, word = reason(reply)
      part.backup = reply.status < 300 and reply:content("storage").uuid or nil
      if part.backup then return true end
      if not reply.isRefusal then error(said, 0) end
      refusals, state = refusals + 1, word -- something else may have begun in between
      if word ~= "STORAGE_STATE_ILLEGAL" or refusals == 5 then return nil, said end
    end
    if time.since(begun) > SOURCE_WAIT then return nil, "it is " .. tostring(state or source.status) .. " and does not become online" end
    sleep(2)
  end
end

function provider.executeBackup(backup, backupResult)
  local parts = partsOf(backupResult)
  for _, part in ipairs(parts) do
    if not part.backup then
      local ok, why = start(backup.connection, part)
      if not ok then return abandon(backupResult, "the disk " .. part.disk .. ": " .. why) end
      keep(backupResult, parts)
    end
  end
end

-- All parts are there: it ran. Some are certainly not: executeBackup makes those. Only the first of them can have been asked for, and while its
-- disk is being backed up, that may be it.
function provider.recoverBackupResult(backupResult, opts)
  local parts = partsOf(backupResult)
  local isCertain, why = find(backupResult, parts)
  keep(backupResult, parts)
  for _, part in ipairs(parts) do
    if not part.backup then
      local state = isCertain and call(backupResult.backup.connection, "GET", { "storage", part.disk }):content("storage").state
      if state == "backuping" then why = "the disk " .. part.disk .. " is being backed up, and that may be it" end
      if isCertain and opts.attempt < 2 then why = why or "there is no backup " .. part.title .. "; looking once more" end
      if not why then return ServiceResponse.success { found = false } end
      return external.lookAgain(why, opts)
    end
  end
  return true
end

-- ---- afterwards ----

local going = { maintenance = true, cloning = true, backuping = true }

function provider.refreshBackupResult(backupResult)
  local parts, size, done = partsOf(backupResult), 0, 0
  for _, part in ipairs(parts) do
    if not part.backup then return ServiceResponse.gone("the backup of the disk " .. part.disk .. " is not known") end
    local reply = call(backupResult.backup.connection, "GET", { "storage", part.backup })
    if reply.status == 404 then return ServiceResponse.gone("UpCloud has no backup " .. part.backup .. " of the disk " .. part.disk) end
    local storage = reply:content("storage")
    if reply.status ~= 200 or type(storage.state) ~= "string" then return ServiceResponse.retry((reason(reply))) end
    if storage.state == "error" then return abandon(backupResult, "the backup " .. part.backup .. " of the disk " .. part.disk .. " is in state error") end
    if storage.state == "online" then
      done, size = done + 1, size + (tonumber(storage.size) or 0)
    elseif not going[storage.state] then
      external.unknownStatus(backupResult, "UpCloud", storage.state)
    end
  end
  if done == #parts then
    if size > 0 then backupResult.sizeInBytes = size * GIGABYTE end
    backupResult.statusMessage, backupResult.snapshotId, backupResult.status = nil, parts[1].backup, "SUCCEEDED"
  elseif backupResult.deadlineDate and time.now() >= backupResult.deadlineDate then
    return abandon(backupResult, string.format("not at its end by its deadline, and UpCloud cannot cancel: %d of %d backups are made", done, #parts))
  elseif #parts > 1 then
    backupResult.progress, backupResult.statusMessage = math.floor(100 * done / #parts), string.format("%d of %d disks", done, #parts)
  end
end

function provider.cancelBackup()
  return false, "UpCloud cannot cancel a backup"
end

-- Deletes what there is of a result. How many backups that were; or nil and the answer to give.
local function remove(result)
  local parts, count = partsOf(result), 0
  if result.sentDate and not result:getConfigProperty("upcloud.isAbandoned") then -- there may be some that nobody has heard of
    local isCertain, why = find(result, parts)
    if not isCertain then return nil, ServiceResponse.error(why) end
  end
  for _, part in ipairs(parts) do
    local reply = part.backup and call(result.backup.connection, "DELETE", { "storage", part.backup }, { patience = PATIENCE })
    if reply and reply.status < 300 then
      count = count + 1
    elseif reply and (reply.status == 409 or reply.status == 429 or reply.status >= 500) then
      return nil, ServiceResponse.retry((reason(reply)))
    elseif reply and reply.status ~= 404 then
      return nil, ServiceResponse.error("UpCloud keeps the backup " .. part.backup .. ": " .. reason(reply))
    end
  end
  return count
end

-- Of a result that did not come to a good end nothing stays.
function provider.cleanUp(backupResult)
  if backupResult.status == "SUCCEEDED" then return true end
  local count, answer = remove(backupResult)
  return answer or count ~= nil
end

function provider.deleteBackupResult(backupResult)
  local count, answer = remove(backupResult)
  if answer then return answer end
  return true, count == 0 and "the backups were gone already" or count == 1 and "the backup is deleted" or count .. " backups are deleted"
end

return provider
