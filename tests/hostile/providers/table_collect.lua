-- tries: tables in tables, all kept, with errors swallowed
-- expect: error the memory limit of the provider
local provider = Provider { apiVersion = 1, code = "table_collect", name = "table_collect", version = "1",
  timeouts = { executeBackup = 30 } }

function provider.executeBackup(backup, backupResult)
  local kept = {}
  while true do
    pcall(function() while true do kept = { kept, {}, {} } end end)
  end
end

return provider
