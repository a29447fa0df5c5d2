-- tries: an __index function that reads its own table
-- expect: error stack overflow
local provider = Provider { apiVersion = 1, code = "loop_index_function", name = "loop_index_function", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local t = setmetatable({}, { __index = function(self, key) return self[key .. "x"] end })
  return t.a
end

return provider
