-- tries: a replacement function that loops
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_gsub", name = "loop_gsub", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  string.gsub("x", "x", function() while true do end end)
end

return provider
