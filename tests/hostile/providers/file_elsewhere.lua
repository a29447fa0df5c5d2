-- tries: files that needs does not name
-- expect: success
local provider = Provider { apiVersion = 1, code = "file_elsewhere", name = "file_elsewhere", version = "1",
  timeouts = { executeBackup = 20 }, needs = { read = { "@GRANTED@" }, write = { "@GRANTED@" } } }

function provider.executeBackup(backup, backupResult)
  for _, path in ipairs { "@FILE@", "@GRANTED@/../canary", "@GRANTED@/link", "/proc/self/environ", "@DATA@/secret.key" } do
    assert(not pcall(fs.read, path), path)
    assert(not pcall(fs.write, path, "gone"), path)
    assert(not pcall(fs.remove, path), path)
    assert(not pcall(fs.rename, path, "@GRANTED@/x"), path)
  end
  backupResult.status = "SUCCEEDED"
end

return provider
