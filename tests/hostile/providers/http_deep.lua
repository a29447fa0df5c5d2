-- tries: a body of JSON nested very deep
-- expect: error deep
local provider = Provider { apiVersion = 1, code = "http_deep", name = "http_deep", version = "1", timeouts = { executeBackup = 20 },
  needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  local value, err = http.get("@SERVER@/deep"):json()
  assert(value, err)
end

return provider
