-- tries: source text that is nested very deep
-- expect: error levels
local provider = Provider { apiVersion = 1, code = "load_nested", name = "load_nested", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local f, err = load("return " .. ("("):rep(100000) .. "1" .. (")"):rep(100000))
  assert(f, err)
end

return provider
