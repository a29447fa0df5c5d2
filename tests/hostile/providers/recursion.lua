-- tries: recursion without end
-- expect: error stack overflow
local provider = Provider { apiVersion = 1, code = "recursion", name = "recursion", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local function f(n) return 1 + f(n + 1) end
  return f(0)
end

return provider
