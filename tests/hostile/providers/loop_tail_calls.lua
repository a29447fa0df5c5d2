-- tries: tail calls without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_tail_calls", name = "loop_tail_calls", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local function f(n) return f(n + 1) end
  f(0)
end

return provider
