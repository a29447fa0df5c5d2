-- tries: headers without end
-- expect: error
local provider = Provider { apiVersion = 1, code = "http_headers", name = "http_headers", version = "1",
  timeouts = { executeBackup = 20 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  http.get("@SERVER@/headers")
end

return provider
