-- tries: a clean-up after the deadline that loops
-- expect: timeout the deadline of the hook has passed @here
local provider = Provider { apiVersion = 1, code = "cleanup_loops", name = "cleanup_loops", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  if not pcall(sleep, 100) then
    while true do end -- here
  end
end

return provider
