-- tries: comparing large texts that begin alike
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "compare_loop", name = "compare_loop", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local a = ("x"):rep(1e7)
  local b = a .. "y"
  a = a .. "z"
  while true do local less = a < b end
end

return provider
