-- tries: a __tostring that makes text of itself
-- expect: error stack overflow
local provider = Provider { apiVersion = 1, code = "tostring_recursion", name = "tostring_recursion", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local t
  t = setmetatable({}, { __tostring = function() return (tostring(t)) end })
  return (tostring(t))
end

return provider
