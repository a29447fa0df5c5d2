-- tries: __index chains that end in a loop
-- expect: error loop
local provider = Provider { apiVersion = 1, code = "loop_index_chain", name = "loop_index_chain", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local t = {}
  setmetatable(t, { __index = t })
  local a, b = {}, {}
  setmetatable(a, { __index = b })
  setmetatable(b, { __index = a })
  return a.x
end

return provider
