-- tries: a request to a server that needs does not name
-- expect: error @CANARY_PORT@
local provider = Provider { apiVersion = 1, code = "http_elsewhere", name = "http_elsewhere", version = "1",
  timeouts = { executeBackup = 60 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  http.get("http://127.0.0.1:@CANARY_PORT@/")
end

return provider
