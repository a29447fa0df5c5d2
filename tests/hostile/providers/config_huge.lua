-- tries: a configuration of many megabytes
-- expect: error
local provider = Provider { apiVersion = 1, code = "config_huge", name = "config_huge", version = "1", timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  for i = 1, 100 do backupResult:setConfigProperty("k" .. i, ("x"):rep(1e6)) end
end

return provider
