-- tries: print without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "print_flood", name = "print_flood", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  while true do print("line") end
end

return provider
