-- tries: an answer with metamethods that raise and loop
-- expect: error unknown key
local provider = Provider { apiVersion = 1, code = "answer_odd", name = "answer_odd", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  return setmetatable({ oops = 1 }, { __index = function() while true do end end, __pairs = error, __len = error })
end

return provider
