-- tries: a loop that swallows every error
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_pcall", name = "loop_pcall", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do
    pcall(function() while true do error("again") end end)
  end
end

return provider
