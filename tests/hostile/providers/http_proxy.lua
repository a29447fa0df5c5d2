-- tries: a proxy that needs does not name
-- expect: error is not granted
local provider = Provider { apiVersion = 1, code = "http_proxy", name = "http_proxy", version = "1", timeouts = { executeBackup = 20 },
  needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  http.get("@SERVER@/small", { proxy = "http://127.0.0.1:@CANARY_PORT@" })
end

return provider
