-- tries: an xpcall handler that loops
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_xpcall_handler", name = "loop_xpcall_handler", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do
    xpcall(error, function() while true do end end)
  end
end

return provider
