-- tries: a small table that unfolds into billions of values
-- expect: error holds more than
local provider = Provider { apiVersion = 1, code = "json_unfold", name = "json_unfold", version = "1" }

function provider.executeBackup(backup, backupResult)
  local t = { 1 }
  for _ = 1, 40 do t = { t, t } end
  assert(json.encode(t))
end

return provider
