-- tries: defer without end
-- expect: error at most 100 clean-ups
local provider = Provider { apiVersion = 1, code = "defer_flood", name = "defer_flood", version = "1", timeouts = { executeBackup = 30 } }

function provider.executeBackup(backup, backupResult)
  for i = 1, 1e6 do defer("x", { i = i }) end
end

function provider.cleanUp() return true end

return provider
