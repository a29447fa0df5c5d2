-- tries: requests without end
-- expect: timeout
local provider = Provider { apiVersion = 1, code = "http_flood", name = "http_flood", version = "1", timeouts = { executeBackup = 1 },
  needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  while true do http.get("@SERVER@/small") end
end

return provider
