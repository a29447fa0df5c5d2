-- tries: a configuration written without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "config_flood", name = "config_flood", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  while true do backupResult:setConfigProperty("k", ("x"):rep(1e5) .. #tostring(backupResult.progress)) end
end

return provider
