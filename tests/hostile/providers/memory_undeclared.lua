-- tries: more memory than is declared
-- expect: error the memory limit of the provider, 8 MiB
local provider = Provider { apiVersion = 1, code = "memory_undeclared", name = "memory_undeclared", version = "1",
  timeouts = { executeBackup = 30 },
  memoryLimit = 8 }

function provider.executeBackup(backup, backupResult)
  local kept = {}
  while true do kept[#kept + 1] = { #kept } end
end

return provider
