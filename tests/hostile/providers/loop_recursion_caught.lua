-- tries: recursion into the stack limit, caught, again and again
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_recursion_caught", name = "loop_recursion_caught", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local function f(n) return 1 + f(n + 1) end
  while true do pcall(f, 0) end
end

return provider
