-- tries: a table that contains itself as JSON
-- expect: error contains itself
local provider = Provider { apiVersion = 1, code = "json_cycle", name = "json_cycle", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local t = {}
  t.t = t
  assert(json.encode(t))
end

return provider
