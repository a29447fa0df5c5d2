-- tries: joining large texts whose join is there already
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "join_loop", name = "join_loop", version = "1", timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local a, b = ("x"):rep(5e6), ("y"):rep(5e6)
  local kept = a .. b
  while kept do local again = a .. b end
end

return provider
