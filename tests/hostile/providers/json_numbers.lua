-- tries: JSON numbers of a million digits, and very many
-- expect: timeout the deadline of the hook has passed
local provider = Provider { apiVersion = 1, code = "json_numbers", name = "json_numbers", version = "1",
  timeouts = { executeBackup = 0.6 } }

function provider.executeBackup(backup, backupResult)
  local digits = "[" .. ("9"):rep(1e6) .. "]"
  local many = "[" .. ("1,"):rep(2e5) .. "1]"
  while true do
    json.decode(digits)
    json.decode(many)
  end
end

return provider
