-- tries: an error of many megabytes
-- expect: error xxx
local provider = Provider { apiVersion = 1, code = "error_huge", name = "error_huge", version = "1", timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  error(("x"):rep(1e7), 0)
end

return provider
