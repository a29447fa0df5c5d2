-- @NAME@: backups of a system with a REST API. Change what is asked and what is read to what yours does; the spec says when it works.
--
-- POST /jobs { key, policy } starts one job per key and answers { id }; GET /jobs/ID answers { state, percent, bytes }; POST /jobs/ID/cancel
-- ends it; DELETE /jobs/ID removes what it made; GET /status is there to see whether the token is good.
local provider = Provider {
  apiVersion = 1, code = "@CODE@", name = "@NAME@", version = "0.1.0",
  connectionOptionTypes = {
    { fieldName = "serviceUrl", fieldLabel = "Address", required = true },
    { fieldName = "serviceToken", fieldLabel = "Token", inputType = "password", required = true },
  },
  optionTypes = { { fieldName = "policy", fieldLabel = "Policy", defaultValue = "daily", helpText = "how long it keeps a backup" } },
  needs = { http = { "${connection.serviceUrl}" } },
  idempotent = true, -- POST /jobs with a key that it knows starts nothing anew: a start can be repeated after a crash
  refreshInterval = 30,
}

-- One request. A status of 500 and more says nothing about what was done: raised, it is asked again or looked into.
local function ask(connection, method, path, body)
  local reply = http.request { method = method, url = url.join(connection.serviceUrl, path), bearer = connection.serviceToken, json = body }
  if reply.status >= 500 then error("it answered " .. reply.status .. ": " .. reply.body) end
  return reply
end

---@param connection BackupProvider
function provider.testConnection(connection)
  local reply = ask(connection, "GET", "status")
  if reply.status ~= 200 then return false, "it answered " .. reply.status end
  return true
end

---@param backup Backup
---@param backupResult BackupResult
function provider.executeBackup(backup, backupResult, executionConfig, cloud, computeServer, opts)
  local reply = ask(backup.connection, "POST", "jobs", { key = backupResult.uuid, policy = backup:getConfigProperty("policy") })
  if reply.status >= 400 then return false, "it refused: " .. reply.body end -- certain: nothing was started
  backupResult.externalId = reply:json().id
  backupResult.status = BackupStatusUtility.IN_PROGRESS
end

local statuses = { running = "IN_PROGRESS", done = "SUCCEEDED", failed = "FAILED", cancelled = "CANCELLED" }

---@param backupResult BackupResult
function provider.refreshBackupResult(backupResult)
  local reply = ask(backupResult.backup.connection, "GET", "jobs/" .. backupResult.externalId)
  if reply.status == 404 then return ServiceResponse.gone("it has no job " .. backupResult.externalId) end
  if reply.status ~= 200 then return ServiceResponse.retry("it answered " .. reply.status) end
  local job = reply:json()
  backupResult.progress, backupResult.sizeInBytes, backupResult.status = job.percent, job.bytes, statuses[job.state]
  if job.state == "failed" then backupResult.errorMessage = job.message end
end

---@param backupResult BackupResult
function provider.cancelBackup(backupResult, opts)
  local reply = ask(backupResult.backup.connection, "POST", "jobs/" .. backupResult.externalId .. "/cancel")
  if reply.status >= 300 then return false, "it answered " .. reply.status end
  return true -- how it ended is what the next refresh says
end

---@param backupResult BackupResult
function provider.deleteBackupResult(backupResult, opts)
  if not backupResult.externalId then return backupResult.status == "FAILED" end -- never started: nothing is outside
  local reply = ask(backupResult.backup.connection, "DELETE", "jobs/" .. backupResult.externalId)
  if reply.status >= 300 and reply.status ~= 404 then return false, "it answered " .. reply.status end
  return true
end

return provider
