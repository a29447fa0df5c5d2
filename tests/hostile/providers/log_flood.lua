-- tries: lines of the log without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "log_flood", name = "log_flood", version = "1", timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  while true do log.info("line") end
end

return provider
