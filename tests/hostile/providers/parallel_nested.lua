-- tries: parallel in parallel in parallel
-- expect: error branches at a time at most
local provider = Provider { apiVersion = 1, code = "parallel_nested", name = "parallel_nested", version = "1",
  timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  local function bomb()
    local branches = {}
    for i = 1, 100 do branches[i] = bomb end
    parallel(branches)
  end
  bomb()
end

return provider
