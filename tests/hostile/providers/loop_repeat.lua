-- tries: an endless repeat
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_repeat", name = "loop_repeat", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  repeat until false
end

return provider
