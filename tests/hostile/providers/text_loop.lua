-- tries: base64 and url of a large text without end
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "text_loop", name = "text_loop", version = "1", timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local s = ("x"):rep(4e6)
  while true do base64.decode(base64.encode(s)) url.encode(s) end
end

return provider
