-- tries: huge widths in string.format
-- expect: error invalid
local provider = Provider { apiVersion = 1, code = "format_width", name = "format_width", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  return string.format("%9999d", 1)
end

return provider
