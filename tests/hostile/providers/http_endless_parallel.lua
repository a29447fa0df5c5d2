-- tries: very many bodies without end at a time
-- expect: error
local provider = Provider { apiVersion = 1, code = "http_endless_parallel", name = "http_endless_parallel", version = "1",
  timeouts = { executeBackup = 20 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  local branches = {}
  for i = 1, 100 do branches[i] = function() pcall(http.get, "@SERVER@/endless") end end
  parallel(branches)
  error("all were refused")
end

return provider
