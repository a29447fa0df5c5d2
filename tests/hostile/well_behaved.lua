-- The neighbour of the hostile providers: its refreshes are due every 0.2 s, and it logs how late each one is. Its connection has the
-- secret that nobody else may see.
local provider = Provider { apiVersion = 1, code = "well_behaved", name = "Well behaved", version = "1", refreshInterval = 0.2,
  connectionOptionTypes = { { fieldName = "password", inputType = "password", required = true } } }

local INTERVAL = 200 -- ms
local last

function provider.executeBackup(backup, backupResult)
  assert(#backup.connection.password > 0)
  backupResult.status = "IN_PROGRESS"
end

function provider.refreshBackupResult(backupResult)
  local now = time.now()
  if last then log.info("late %d", now - last - INTERVAL) end
  last = now
end

return provider
