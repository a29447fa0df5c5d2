-- tries: looking for the first entry of a table that was emptied
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "next_loop", name = "next_loop", version = "1", timeouts = { executeBackup = 1 } }

function provider.executeBackup(backup, backupResult)
  local t = {}
  for i = 1, 2e6 do t[i] = true end
  for i = 1, 2e6 do t[i] = nil end
  while true do next(t) end
end

return provider
