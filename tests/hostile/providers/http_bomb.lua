-- tries: bodies that are small on the way and large here
-- expect: error larger than
local provider = Provider { apiVersion = 1, code = "http_bomb", name = "http_bomb", version = "1", timeouts = { executeBackup = 20 },
  needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  local branches = {}
  for i = 1, 10 do branches[i] = function() http.get("@SERVER@/bomb") end end
  local ok, err = pcall(parallel, branches)
  assert(not ok)
  http.get("@SERVER@/bomb")
end

return provider
