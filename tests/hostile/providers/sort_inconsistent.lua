-- tries: comparisons of table.sort that contradict each other
-- expect: success
local provider = Provider { apiVersion = 1, code = "sort_inconsistent", name = "sort_inconsistent", version = "1" }

function provider.executeBackup(backup, backupResult)
  local list = {}
  for i = 1, 1000 do list[i] = i end
  table.sort(list, function() return true end)
  backupResult.status = "SUCCEEDED"
end

return provider
