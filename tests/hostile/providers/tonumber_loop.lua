-- tries: numbers of a million digits
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "tonumber_loop", name = "tonumber_loop", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local s = (" "):rep(1e7) .. "1"
  while true do tonumber(s) end
end

return provider
