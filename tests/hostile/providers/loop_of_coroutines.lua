-- tries: coroutines made and resumed without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_of_coroutines", name = "loop_of_coroutines", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do
    local co = coroutine.create(function() coroutine.yield() end)
    coroutine.resume(co)
    coroutine.resume(co)
  end
end

return provider
