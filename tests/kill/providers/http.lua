-- A provider of the service that outside.c plays. The harness puts one line before this text and so makes each of its providers:
--
--   local CODE, KIND, IDEMPOTENT, DELAY, FAULT, PLACE = "lookup", "lookup", false, 0.3, nil, "/folder/of/the/run"
--
-- KIND is the kind of service. DELAY: it looks jobs up, after so many seconds. FAULT names what a negative control does wrong.
-- Every hook tells the service how far it got, so that the runtime can be killed there.
local provider = Provider {
  apiVersion = 1, code = CODE, name = CODE, version = "1.0.0",
  idempotent = IDEMPOTENT, visibilityDelay = DELAY, refreshInterval = 0.1,
  optionTypes = { { fieldName = "version" } },
  needs = { http = { "${connection.serviceUrl}" } },
}

local VISIBLE, NEVER = 0.5, 3 -- seconds; the service takes 0.25 at most

local function url(backup, path) return backup.backupProvider.serviceUrl .. "/" .. path end

local function step(backup, name) http.get(url(backup, "step/" .. CODE .. "." .. name)) end

-- What a Backup has outside is a policy, of a kind of service of its own: KIND .. "policy".
local function policies(backup, path) return url(backup, KIND .. "policy/jobs" .. (path or "")) end

function provider.configureBackup(backup)
  step(backup, "configure")
end

function provider.validateBackup(backup)
  step(backup, "validate")
end

function provider.createBackup(backup)
  step(backup, "create.begin")
  local hasReply, reply = pcall(http.post, policies(backup), { json = { key = backup.uuid } })
  step(backup, "create.sent")
  if not hasReply then return ServiceResponse.retry(reply.message, { after = 0.2 }) end
  if reply.status ~= 201 then error("the service answered " .. reply.status) end
  backup.externalId = reply.json().id
  backup:setConfigProperty("http.madeDate", time.now())
  step(backup, "create.end")
end

local function recoverPolicy(backup)
  step(backup, "recoverPolicy.begin")
  local reply = http.get(policies(backup), { query = { key = backup.uuid } })
  step(backup, "recoverPolicy.end")
  if reply.status == 404 then return ServiceResponse.success { found = false } end
  backup.externalId = reply.json().id
  return true
end
if DELAY then provider.recoverBackup = recoverPolicy end

-- The Backup's version is made the policy's, whatever that was. A reply that is lost is an error: it is not known then whether it was.
function provider.updateBackup(backup)
  step(backup, "update.begin")
  if FAULT ~= "boasts" then
    local reply = http.post(policies(backup):gsub("/jobs$", "/update"), { json = { key = backup.uuid, value = backup:getConfigProperty("version") or "0" } })
    if reply.status ~= 200 then error("the service answered " .. reply.status) end
  end
  step(backup, "update.end")
  return true
end

function provider.testConnection(connection)
  http.get(connection.serviceUrl .. "/step/" .. CODE .. ".test.begin")
  http.get(connection.serviceUrl .. "/step/" .. CODE .. ".test.end")
  return true
end

-- What was made a moment ago is not there yet, which is not the same as gone.
function provider.deleteBackup(backup)
  step(backup, "deletePolicy.begin")
  local hasReply, reply = pcall(http.delete, policies(backup, "/" .. backup.externalId))
  if not hasReply then return ServiceResponse.retry(reply.message, { after = 0.1 }) end
  local madeDate = backup:getConfigProperty("http.madeDate")
  if reply.status == 404 and madeDate and time.since(madeDate) < VISIBLE then return ServiceResponse.retry("it is not there yet", { after = 0.1 }) end
  if reply.status ~= 200 and reply.status ~= 404 then return ServiceResponse.retry("the service answered " .. reply.status, { after = 0.1 }) end
  step(backup, "deletePolicy.end")
  return true
end

function provider.prepareExecuteBackup(backup)
  step(backup, "prepareExecute")
end

function provider.prepareBackupResult(backupResult)
  step(backupResult.backup, "prepareResult")
end

function provider.executeBackup(backup, backupResult)
  step(backup, "execute.begin")
  if math.random(2) == 1 then -- the service is told only once that is durable
    defer("tidy", { key = backupResult.uuid })
    http.get(url(backup, KIND .. "/defer"), { query = { key = backupResult.uuid } })
  end
  local hasReply, reply = pcall(http.post, url(backup, KIND .. "/jobs"), { json = { key = backupResult.uuid } })
  step(backup, "execute.sent")
  if not hasReply then return ServiceResponse.retry(reply.message, { after = 0.2 }) end
  if reply.status ~= 201 then error("the service answered " .. reply.status) end
  backupResult.externalId = reply.json().id
  if math.random(2) == 1 then backupResult:save() end
  step(backup, "execute.end")
end

-- The id of a job. A result that was cancelled while nobody knew whether it had begun has none yet: the job is looked for by its key.
-- Without one: whether it may still come.
local function idOf(backup, backupResult)
  if backupResult.externalId or KIND == "neither" then return backupResult.externalId, false end
  local reply = http.get(url(backup, KIND .. "/jobs"), { query = { key = backupResult.uuid } })
  if reply.status ~= 200 then return nil, backupResult.sentDate ~= nil and time.since(backupResult.sentDate) < NEVER end
  backupResult.externalId = reply.json().id
  return backupResult.externalId
end

function provider.refreshBackupResult(backupResult)
  local backup = backupResult.backup
  step(backup, "refresh.begin")
  local id, mayCome = idOf(backup, backupResult)
  if not id and KIND == "neither" then return ServiceResponse.gone("nobody can say whether it has begun") end
  if not id and not mayCome then backupResult.status = "CANCELLED" end
  if not id then return end
  local reply = http.get(url(backup, KIND .. "/jobs/" .. id))
  if reply.status == 404 and FAULT == "pessimist" then return false, "the service knows no such job" end
  if reply.status == 404 then return end -- it has not begun yet
  backupResult.status = reply.json().status
  step(backup, "refresh.end")
end

local function recover(backupResult)
  local backup = backupResult.backup
  step(backup, "recover.begin")
  local reply = http.get(url(backup, KIND .. "/jobs"), { query = { key = backupResult.uuid } })
  step(backup, "recover.end")
  if reply.status == 404 then return ServiceResponse.success { found = false } end
  backupResult.externalId = reply.json().id
  return true
end
if DELAY then provider.recoverBackupResult = recover end

-- relabels: what a wrong provider does, which says that it is cancelled and leaves the job alone
function provider.cancelBackup(backupResult)
  local backup = backupResult.backup
  step(backup, "cancel.begin")
  if FAULT == "relabels" then
    backupResult.status = "CANCELLED"
    return true
  end
  local reply = http.post(url(backup, KIND .. "/cancel"), { json = { key = backupResult.uuid } })
  step(backup, "cancel.end")
  return reply.status == 200
end

function provider.deleteBackupResult(backupResult)
  local backup = backupResult.backup
  step(backup, "delete.begin")
  local id, mayCome = idOf(backup, backupResult)
  if mayCome then return ServiceResponse.retry("nobody can say yet whether it has begun", { after = 1 }) end
  if not id and KIND == "neither" and backupResult.sentDate then return false, "nobody can say whether it has begun" end
  if id and FAULT ~= "forgets" then
    local hasReply, reply = pcall(http.delete, url(backup, KIND .. "/jobs/" .. id))
    if not hasReply then return ServiceResponse.retry(reply.message, { after = 0.1 }) end
    if reply.status == 409 then return ServiceResponse.retry("it runs still", { after = 0.1 }) end
    if reply.status ~= 200 and reply.status ~= 404 then return false, "the service answered " .. reply.status end
  end
  step(backup, "delete.end")
  return true
end

function provider.cleanUp(backupResult, name, args)
  local backup = backupResult.backup
  step(backup, "cleanUp.begin")
  if FAULT ~= "litters" then
    local hasReply, reply = pcall(http.post, url(backup, KIND .. "/clean"), { json = args })
    if not hasReply or reply.status ~= 200 then return ServiceResponse.retry("no clean answer", { after = 0.1 }) end
  end
  step(backup, "cleanUp.end")
  return true
end

function provider.extractBackup(backupResult, opts)
  step(backupResult.backup, "extract.begin")
  step(backupResult.backup, "extract.end")
  return ServiceResponse.success { path = opts.destination, sizeInBytes = 0 }
end

return provider
