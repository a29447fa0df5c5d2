-- tries: an error object whose __tostring raises
-- expect: error an error table without a message
local provider = Provider { apiVersion = 1, code = "tostring_raises", name = "tostring_raises", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  error(setmetatable({}, { __tostring = function() error("no") end }))
end

return provider
