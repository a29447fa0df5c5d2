-- tries: what stock Lua has and a provider must not
-- expect: success
local provider = Provider { apiVersion = 1, code = "globals_gone", name = "globals_gone", version = "1",
  timeouts = { executeBackup = 60 } }

function provider.executeBackup(backup, backupResult)
  for _, name in ipairs {
    "io", "debug", "ffi", "jit", "package", "dofile", "loadfile", "newproxy", "getfenv", "setfenv", "module", "gcinfo", "arg"
  } do
    assert(rawget(_G, name) == nil, name)
    assert(not pcall(require, name), name)
  end
  assert(os.execute == nil and os.remove == nil and os.getenv == nil and os.exit == nil and os.tmpname == nil)
  assert(string.dump == nil and string.buffer == nil and collectgarbage("count") > 0)
  for _, what in ipairs { "stop", "setpause", "step", "collect", "generational" } do assert(not pcall(collectgarbage, what)) end
  backupResult.status = "SUCCEEDED"
end

return provider
