-- tries: JSON nested very deep
-- expect: error deep
local provider = Provider { apiVersion = 1, code = "json_depth", name = "json_depth", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local value, err = json.decode(("["):rep(1e6))
  assert(value, err)
end

return provider
