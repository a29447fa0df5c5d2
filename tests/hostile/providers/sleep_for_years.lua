-- tries: a sleep that is longer than its deadline
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "sleep_for_years", name = "sleep_for_years", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  sleep(86400)
end

return provider
