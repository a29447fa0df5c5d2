-- tries: a table nested very deep as an answer and a configuration
-- expect: error nested more than
local provider = Provider { apiVersion = 1, code = "deep_data", name = "deep_data", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local t = {}
  for _ = 1, 1e5 do t = { t } end
  backupResult:setConfigProperty("deep", t)
end

return provider
