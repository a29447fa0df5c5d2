-- tries: large texts by string.rep, one after the other
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "rep_loop", name = "rep_loop", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do local s = ("x"):rep(1e7) end
end

return provider
