-- tries: recursion through gsub callbacks, which takes C stack elsewhere
-- expect: error stack overflow
local provider = Provider { apiVersion = 1, code = "gsub_recursion", name = "gsub_recursion", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local function f(s) return (s:gsub(".", f)) end
  return false, f("x")
end

return provider
