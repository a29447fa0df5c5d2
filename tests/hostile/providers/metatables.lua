-- tries: metatables of strings, of null, of objects, of the globals
-- expect: success
local provider = Provider { apiVersion = 1, code = "metatables", name = "metatables", version = "1", timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  local poison = function() return "poisoned" end
  for _, value in ipairs { "", json.null, backupResult, _G, BackupStatusUtility, ServiceResponse.success() } do
    local meta = getmetatable(value)
    if type(meta) == "table" then pcall(rawset, meta, "__index", poison) pcall(rawset, meta, "__gc", poison) end
    if type(value) ~= "table" then assert(not pcall(setmetatable, value, {})) end
  end
  assert(("x"):upper() == "X" and not pcall(setmetatable, _G, {}))
  backupResult.status = "SUCCEEDED"
end

return provider
