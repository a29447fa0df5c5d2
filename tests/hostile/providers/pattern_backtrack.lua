-- tries: a pattern that backtracks for ever
-- expect: error too many steps
local provider = Provider { apiVersion = 1, code = "pattern_backtrack", name = "pattern_backtrack", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  return ("a"):rep(3000):find(".-.-.-.-b")
end

return provider
