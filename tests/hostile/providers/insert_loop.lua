-- tries: table.insert at the front of a large table
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "insert_loop", name = "insert_loop", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local t = {}
  for i = 1, 1e6 do t[i] = i end
  while true do
    table.insert(t, 1, 0)
    table.remove(t, 1)
  end
end

return provider
