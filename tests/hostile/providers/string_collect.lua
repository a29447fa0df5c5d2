-- tries: texts that are all kept
-- expect: error the memory limit of the provider
local provider = Provider { apiVersion = 1, code = "string_collect", name = "string_collect", version = "1",
  timeouts = { executeBackup = 30 } }

function provider.executeBackup(backup, backupResult)
  local kept = {}
  while true do kept[#kept + 1] = ("x"):rep(1000) .. #kept end
end

return provider
