-- tries: save without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "save_flood", name = "save_flood", version = "1", timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  while true do
    backupResult.progress = ((backupResult.progress or 0) + 1) % 100
    backupResult:save()
  end
end

return provider
