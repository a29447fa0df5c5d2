-- tries: parallel in parallel in parallel, one branch each
-- expect: error nested more than 50 deep
local provider = Provider { apiVersion = 1, code = "parallel_deep", name = "parallel_deep", version = "1",
  timeouts = { executeBackup = 20 } }

function provider.executeBackup(backup, backupResult)
  local function down() parallel { down } end
  down()
end

return provider
