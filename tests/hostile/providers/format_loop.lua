-- tries: string.format of a large text that is there already
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "format_loop", name = "format_loop", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local s = ("x"):rep(1e7)
  while true do string.format("%s", s) end
end

return provider
