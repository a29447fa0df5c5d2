-- tries: addresses that look like the granted one
-- expect: success
local provider = Provider { apiVersion = 1, code = "http_disguised", name = "http_disguised", version = "1",
  timeouts = { executeBackup = 20 }, needs = { http = { "@SERVER@" } } }

function provider.executeBackup(backup, backupResult)
  local port = "@CANARY_PORT@"
  for _, address in ipairs {
    "@SERVER@@127.0.0.1:" .. port .. "/", "http://127.0.0.1:" .. port .. "#@SERVER@", "http://2130706433:" .. port .. "/",
    "file://@FILE@", "gopher://127.0.0.1:" .. port .. "/", "http://[::ffff:127.0.0.1]:" .. port .. "/"
  } do
    assert(not pcall(http.get, address), address)
  end
  backupResult.status = "SUCCEEDED"
end

return provider
