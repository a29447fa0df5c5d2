-- tries: string.rep of gigabytes
-- expect: error would be larger than
local provider = Provider { apiVersion = 1, code = "rep_huge", name = "rep_huge", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  return ("x"):rep(1e10)
end

return provider
