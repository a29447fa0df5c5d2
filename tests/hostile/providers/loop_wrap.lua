-- tries: an endless loop in nested coroutines
-- expect: timeout the deadline of the hook has passed @here
local provider = Provider { apiVersion = 1, code = "loop_wrap", name = "loop_wrap", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local inner = coroutine.wrap(function()
    while true do end -- here
  end)
  coroutine.wrap(function() inner() end)()
end

return provider
