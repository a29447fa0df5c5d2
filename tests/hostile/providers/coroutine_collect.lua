-- tries: coroutines, all kept
-- expect: error the memory limit of the provider
local provider = Provider { apiVersion = 1, code = "coroutine_collect", name = "coroutine_collect", version = "1",
  timeouts = { executeBackup = 30 } }

function provider.executeBackup(backup, backupResult)
  local kept = {}
  while true do
    local co = coroutine.create(function() coroutine.yield() end)
    coroutine.resume(co)
    kept[#kept + 1] = co
  end
end

return provider
