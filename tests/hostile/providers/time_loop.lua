-- tries: dates of a large text without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "time_loop", name = "time_loop", version = "1", timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local s = ("2026-01-01T00:00:00Z "):rep(1e5)
  while true do pcall(time.parse, s) pcall(os.date, s) end
end

return provider
