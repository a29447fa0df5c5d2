-- tries: an iterator that never ends
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_iterator", name = "loop_iterator", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  for _ in function() return 1 end do end
end

return provider
