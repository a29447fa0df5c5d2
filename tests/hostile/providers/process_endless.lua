-- tries: a program whose output has no end
-- expect: timeout/retry
local provider = Provider { apiVersion = 1, code = "process_endless", name = "process_endless", version = "1",
  timeouts = { executeBackup = 0.6 }, needs = { exec = { "yes" } } }

function provider.executeBackup(backup, backupResult)
  process.run { argv = { "yes" }, timeout = 2000 }
end

return provider
