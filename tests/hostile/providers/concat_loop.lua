-- tries: table.concat of a million numbers whose text is there already
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "concat_loop", name = "concat_loop", version = "1", timeouts = { executeBackup = 1 } }

function provider.executeBackup(backup, backupResult)
  local list = {}
  for i = 1, 1e6 do list[i] = 0.1 end
  local kept = table.concat(list)
  while kept do table.concat(list) end
end

return provider
