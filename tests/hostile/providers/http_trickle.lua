-- tries: an answer that comes a byte at a time
-- expect: timeout/retry
local provider = Provider { apiVersion = 1, code = "http_trickle", name = "http_trickle", version = "1",
  timeouts = { executeBackup = 0.6 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  http.get("@SERVER@/trickle", { timeout = 1000 })
end

return provider
