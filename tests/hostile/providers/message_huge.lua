-- tries: an answer with a message of many megabytes
-- expect: halt xxx
local provider = Provider { apiVersion = 1, code = "message_huge", name = "message_huge", version = "1",
  timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  return false, ("x"):rep(1e7)
end

return provider
