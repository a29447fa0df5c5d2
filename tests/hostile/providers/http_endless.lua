-- tries: a body without end
-- expect: error larger than
local provider = Provider { apiVersion = 1, code = "http_endless", name = "http_endless", version = "1",
  timeouts = { executeBackup = 20 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  http.get("@SERVER@/endless")
end

return provider
