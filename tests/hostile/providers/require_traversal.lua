-- tries: require of what lies outside of the provider's folder
-- expect: success
local provider = Provider { apiVersion = 1, code = "require_traversal", name = "require_traversal", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  for _, name in ipairs {
    "../canary", "@FILE@", "..canary", "ffi", "jit.util", "string.buffer", "table.new", "_G", "", "prelude/base", ("x"):rep(1e6)
  } do
    assert(not pcall(require, name), #name < 99 and name)
  end
  assert(not pcall(require, {}) and not pcall(require))
  backupResult.status = "SUCCEEDED"
end

return provider
