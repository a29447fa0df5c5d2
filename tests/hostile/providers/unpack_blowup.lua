-- tries: unpack of more values than a stack holds
-- expect: error too many results
local provider = Provider { apiVersion = 1, code = "unpack_blowup", name = "unpack_blowup", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  return unpack({}, 1, 1e8)
end

return provider
