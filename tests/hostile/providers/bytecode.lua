-- tries: bytecode as source text
-- expect: error attempt to load
local provider = Provider { apiVersion = 1, code = "bytecode", name = "bytecode", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local f, err = load("\27LJ\2\0\0\0")
  assert(f == nil)
  error(err)
end

return provider
