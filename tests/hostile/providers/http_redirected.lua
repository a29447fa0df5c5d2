-- tries: a redirect to a server that needs does not name
-- expect: success
local provider = Provider { apiVersion = 1, code = "http_redirected", name = "http_redirected", version = "1",
  timeouts = { executeBackup = 20 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  local reply = http.get("@SERVER@/redirect")
  assert(reply.status == 302, reply.status)
  backupResult.status = "SUCCEEDED"
end

return provider
