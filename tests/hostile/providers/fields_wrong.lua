-- tries: writes to what is not a provider's to write
-- expect: success
local provider = Provider { apiVersion = 1, code = "fields_wrong", name = "fields_wrong", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  for _, key in ipairs { "id", "uuid", "createdDate", "sentDate", "attention", "nope", 1, true, "__index", "__gc" } do
    assert(not pcall(function() backupResult[key] = "x" end), tostring(key))
  end
  assert(not pcall(rawset, backupResult, "id", 1) and not pcall(getmetatable(backupResult) and setmetatable, backupResult, nil))
  backupResult.status = "SUCCEEDED"
end

return provider
