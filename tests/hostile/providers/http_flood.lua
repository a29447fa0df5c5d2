-- tries: requests without end
-- expect: timeout/retry
local provider = Provider { apiVersion = 1, code = "http_flood", name = "http_flood", version = "1", timeouts = { executeBackup = 0.6 },
  needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  while true do http.get("@SERVER@/small") end
end

return provider
