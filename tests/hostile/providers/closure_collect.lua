-- tries: closures, all kept
-- expect: error the memory limit of the provider
local provider = Provider { apiVersion = 1, code = "closure_collect", name = "closure_collect", version = "1",
  timeouts = { executeBackup = 30 } }

function provider.executeBackup(backup, backupResult)
  local kept
  while true do
    local before = kept
    kept = function() return before end
  end
end

return provider
