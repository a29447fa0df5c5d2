-- tries: a wait in a coroutine, swallowed, for ever
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "sleep_in_coroutine", name = "sleep_in_coroutine", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  while true do coroutine.resume(coroutine.create(function() sleep(1000) end)) end
end

return provider
