-- tries: an endless numeric for
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_for", name = "loop_for", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  for i = 1, math.huge do local x = i end
end

return provider
