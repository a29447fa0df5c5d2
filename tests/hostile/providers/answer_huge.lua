-- tries: an answer that unfolds into billions of values
-- expect: error holds more than
local provider = Provider { apiVersion = 1, code = "answer_huge", name = "answer_huge", version = "1", timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  local t = { 1 }
  for _ = 1, 40 do t = { t, t } end
  return { success = true, data = t }
end

return provider
