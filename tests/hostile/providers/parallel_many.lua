-- tries: a parallel of more branches than it takes
-- expect: error 100 functions at most
local provider = Provider { apiVersion = 1, code = "parallel_many", name = "parallel_many", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local branches = {}
  for i = 1, 1e5 do branches[i] = function() end end
  parallel(branches)
end

return provider
