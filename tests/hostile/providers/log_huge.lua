-- tries: a line of many megabytes, and a table that is larger
-- expect: success
local provider = Provider { apiVersion = 1, code = "log_huge", name = "log_huge", version = "1", timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  log.info(("x"):rep(1e7))
  local t = {}
  for i = 1, 1e5 do t[i] = i end
  log.info("%s", t)
  backupResult.status = "SUCCEEDED"
end

return provider
