-- tries: source text of many megabytes
-- expect: error source text is limited
local provider = Provider { apiVersion = 1, code = "load_huge", name = "load_huge", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local text = ("local x = 1 "):rep(200000)
  local chunk = assert(load(text))
  return chunk()
end

return provider
