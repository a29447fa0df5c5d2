-- tries: errors that are no text
-- expect: error raised a function value
local provider = Provider { apiVersion = 1, code = "error_odd", name = "error_odd", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  error(function() end)
end

return provider
