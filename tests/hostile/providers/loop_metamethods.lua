-- tries: metamethods that call each other
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_metamethods", name = "loop_metamethods", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local meta = {}
  local n = setmetatable({}, meta)
  meta.__add = function(a) return a end
  meta.__call = function(self) return self end
  meta.__concat = function(a) return a end
  while true do local _ = (n + 1)() .. "x" end
end

return provider
