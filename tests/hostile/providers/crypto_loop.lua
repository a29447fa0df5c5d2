-- tries: hashes of a large text without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "crypto_loop", name = "crypto_loop", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local s = ("x"):rep(1.6e7)
  while true do hash.sha256(s) end
end

return provider
