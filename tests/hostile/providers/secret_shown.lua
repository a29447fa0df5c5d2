-- tries: its own secret in the log, in messages, fields and errors
-- expect: error ***
local provider = Provider { apiVersion = 1, code = "secret_shown", name = "secret_shown", version = "1",
  optionTypes = { { fieldName = "password", inputType = "password" } } }

function provider.executeBackup(backup, backupResult)
  local password = backup:getConfigProperty("password")
  assert(password:find("^canary%-"), "not the one it was given")
  log.info("it is %s", password)
  print({}, password)
  backupResult.statusMessage = "it is " .. password
  backupResult.errorOutput = base64.encode(password) .. url.encode(password)
  error("it is " .. password)
end

return provider
