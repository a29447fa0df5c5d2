-- tries: a pattern of very many repeated items
-- expect: error pattern too complex
local provider = Provider { apiVersion = 1, code = "pattern_nested", name = "pattern_nested", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  return (("a"):rep(1000)):find(("a-"):rep(1000) .. "b")
end

return provider
