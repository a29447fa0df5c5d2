-- tries: code that writes code and runs it
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_load", name = "loop_load", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do load("local x = 1 for i = 1, 100 do x = x * 2 end return x")() end
end

return provider
