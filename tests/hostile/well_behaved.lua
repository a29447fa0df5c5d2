-- The neighbour of the hostile providers: its refreshes are due every 0.2 s, and it logs how late each one is, and for how much of that the
-- runtime had work and no processor, which others had. Its connection has the secret that nobody else may see.
local STATISTICS = "/proc/self/schedstat" -- nanoseconds on a processor, and waiting for one, of the process's first thread
local provider = Provider { apiVersion = 1, code = "well_behaved", name = "Well behaved", version = "1", refreshInterval = 0.2,
  needs = { read = { STATISTICS } },
  connectionOptionTypes = { { fieldName = "password", inputType = "password", required = true } } }

local INTERVAL = 200 -- ms
local last, lastWaited

local function waited() -- ms; none where the kernel keeps no such statistics
  local isThere, text = pcall(fs.read, STATISTICS)
  return isThere and tonumber(text:match "^%d+ (%d+)") / 1e6 or 0
end

function provider.executeBackup(backup, backupResult)
  assert(#backup.connection.password > 0)
  backupResult.status = "IN_PROGRESS"
end

function provider.refreshBackupResult(backupResult)
  local now, all = time.now(), waited()
  if last then log.info("late %d waited %d", now - last - INTERVAL, all - lastWaited) end
  last, lastWaited = now, all
end

return provider
