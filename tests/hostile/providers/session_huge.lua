-- tries: a session whose value is larger than its state may be
-- expect: error
local provider = Provider { apiVersion = 1, code = "session_huge", name = "session_huge", version = "1",
  timeouts = { executeBackup = 5 } }

function provider.executeBackup(backup, backupResult)
  session { name = "s", open = function() return { ("x"):rep(1.6e7), ("y"):rep(1.6e7) } end }:get()
end

return provider
