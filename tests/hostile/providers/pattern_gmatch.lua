-- tries: gmatch on a large text that never matches
-- expect: error too many steps
local provider = Provider { apiVersion = 1, code = "pattern_gmatch", name = "pattern_gmatch", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local s = ("a"):rep(1e6)
  while true do for _ in s:gmatch("a+b") do end end
end

return provider
