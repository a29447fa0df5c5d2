-- tries: errors in error handlers, nested
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "error_in_handler", name = "error_in_handler", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local function handler() error("worse") end
  while true do xpcall(function() error("bad") end, handler) end
end

return provider
