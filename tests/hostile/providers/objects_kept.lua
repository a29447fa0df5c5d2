-- tries: objects of a call used after its end
-- expect: success
local kept
local provider = Provider { apiVersion = 1, code = "objects_kept", name = "objects_kept", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  assert(kept == nil or not pcall(function() return kept.status end))
  kept = backupResult
  local old = backupResult.status
  assert(old)
  backupResult.status = "SUCCEEDED"
end

return provider
