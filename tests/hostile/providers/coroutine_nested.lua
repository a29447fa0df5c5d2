-- tries: coroutines in coroutines, which take C stack
-- expect: error nested more than 100 deep
local provider = Provider { apiVersion = 1, code = "coroutine_nested", name = "coroutine_nested", version = "1" }

function provider.executeBackup(backup, backupResult)
  local function down(n)
    return coroutine.wrap(function() return down(n + 1) end)()
  end
  return down(1)
end

return provider
