-- tries: a program that outlives its deadline
-- expect: timeout/retry
local provider = Provider { apiVersion = 1, code = "process_stays", name = "process_stays", version = "1",
  timeouts = { executeBackup = 0.3 }, needs = { exec = { "sleep" } } }

function provider.executeBackup(backup, backupResult)
  process.run { argv = { "sleep", "1000" }, timeout = 2000 }
end

return provider
