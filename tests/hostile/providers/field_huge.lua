-- tries: a field of many megabytes
-- expect: error
local provider = Provider { apiVersion = 1, code = "field_huge", name = "field_huge", version = "1", timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  backupResult.statusMessage = ("x"):rep(5e6)
  backupResult.errorOutput = ("y"):rep(5e6)
  backupResult.externalId = ("z"):rep(5e6)
end

return provider
