-- tries: a __tostring that loops
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_tostring", name = "loop_tostring", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local t = setmetatable({}, { __tostring = function() while true do end end })
  print(t)
end

return provider
