-- tries: functions of the libraries replaced, so that the runtime calls them
-- expect: success
local provider = Provider { apiVersion = 1, code = "libraries_replaced", name = "libraries_replaced", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  for _, lib in ipairs { string, table, math, json, coroutine, http, log, os, time } do
    for name in pairs(lib) do pcall(rawset, lib, name, function() while true do end end) end
  end
  for _, name in ipairs { "pcall", "error", "type", "tostring", "pairs", "ipairs", "select", "unpack", "setmetatable" } do
    rawset(_G, name, function() while true do end end)
  end
  backupResult.statusMessage = "done"
  backupResult.status = "SUCCEEDED"
end

return provider
