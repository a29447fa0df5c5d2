-- tries: an endless goto
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_goto", name = "loop_goto", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  ::again::
  goto again
end

return provider
