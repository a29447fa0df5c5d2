-- tries: an endless while loop
-- expect: timeout the deadline of the hook has passed @here
local provider = Provider { apiVersion = 1, code = "loop_while", name = "loop_while", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local n = 0
  while true do n = n + 1 end -- here
end

return provider
