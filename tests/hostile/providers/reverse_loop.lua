-- tries: upper, lower and reverse of a large text, whose answers are there already
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "reverse_loop", name = "reverse_loop", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local s = ("x"):rep(1e7)
  local kept = { s:upper(), s:reverse() }
  while kept do s:upper() s:reverse() s:lower() end
end

return provider
