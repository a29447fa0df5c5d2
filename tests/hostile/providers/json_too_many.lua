-- tries: JSON with more values than fit
-- expect: error more than 300000 values
local provider = Provider { apiVersion = 1, code = "json_too_many", name = "json_too_many", version = "1" }

function provider.executeBackup(backup, backupResult)
  local value, err = json.decode("[" .. ("1,"):rep(5e6) .. "1]")
  assert(value, err)
end

return provider
