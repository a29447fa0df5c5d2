-- tries: a text that doubles without end
-- expect: error not enough memory
local provider = Provider { apiVersion = 1, code = "string_doubling", name = "string_doubling", version = "1",
  timeouts = { executeBackup = 30 } }

function provider.executeBackup(backup, backupResult)
  local s = "x"
  while true do s = s .. s end
end

return provider
