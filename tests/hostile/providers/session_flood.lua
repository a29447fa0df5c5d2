-- tries: very many sessions, opened and kept
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "session_flood", name = "session_flood", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  for i = 1, 1e9 do
    session { name = "s" .. i, ttl = 3600, open = function() return { value = ("x"):rep(1000) } end }:get()
  end
end

return provider
