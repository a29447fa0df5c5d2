-- tries: %b and %f on a text that never balances
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "pattern_balance", name = "pattern_balance", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local s = ("("):rep(20000)
  while true do pcall(string.find, s, "%b()") pcall(string.find, s, "%f[x]") end
end

return provider
