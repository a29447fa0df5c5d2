-- tries: table.maxn of a large table
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "maxn_loop", name = "maxn_loop", version = "1", timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local t = {}
  for i = 1, 2e6 do t[i] = true end
  while true do (table.maxn or table.remove)(t) end
end

return provider
