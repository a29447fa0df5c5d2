-- tries: select over very many arguments, again and again
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "select_blowup", name = "select_blowup", version = "1",
  timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  local list = {}
  for i = 1, 7000 do list[i] = i end
  while true do select("#", unpack(list)) end
end

return provider
