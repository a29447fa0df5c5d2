-- tries: a comparison of table.sort that loops
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "loop_sort", name = "loop_sort", version = "1", timeouts = { executeBackup = 0.3 } }

function provider.executeBackup(backup, backupResult)
  table.sort({ 3, 2, 1 }, function() while true do end end)
end

return provider
