-- tries: the same, caught, again and again
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "pattern_backtrack_caught", name = "pattern_backtrack_caught", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local s = ("a"):rep(30000)
  while true do pcall(string.find, s, ".-.-.-.-b") end
end

return provider
