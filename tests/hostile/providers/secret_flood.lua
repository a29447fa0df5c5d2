-- tries: very many secrets, and long ones
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "secret_flood", name = "secret_flood", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  for i = 1, 1e9 do secret(("s"):rep(100) .. i) end
end

return provider
