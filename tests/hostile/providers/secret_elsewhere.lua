-- tries: the secrets of another provider's connection
-- expect: success
local provider = Provider { apiVersion = 1, code = "secret_elsewhere", name = "secret_elsewhere", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local seen = {}
  local function look(value, depth)
    if depth > 6 or seen[value] then return end
    if type(value) == "string" then assert(not value:find("canary%-%x")) end
    if type(value) ~= "table" then return end
    seen[value] = true
    for key, inner in pairs(value) do look(key, depth + 1) look(inner, depth + 1) end
  end
  look(_G, 0)
  assert(backup.backupProvider == nil)
  backupResult.status = "SUCCEEDED"
end

return provider
