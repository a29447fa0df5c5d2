-- tries: branches of parallel that all loop
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "parallel_loops", name = "parallel_loops", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local branches = {}
  for i = 1, 100 do branches[i] = function() while true do end end end
  parallel(branches)
end

return provider
