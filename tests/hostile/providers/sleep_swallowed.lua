-- tries: waits whose errors are swallowed
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "sleep_swallowed", name = "sleep_swallowed", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do pcall(sleep, 100) end
end

return provider
