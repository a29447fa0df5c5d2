-- tries: programs that needs does not name
-- expect: success
local provider = Provider { apiVersion = 1, code = "program_elsewhere", name = "program_elsewhere", version = "1",
  timeouts = { executeBackup = 20 }, needs = { exec = { "true" } } }

function provider.executeBackup(backup, backupResult)
  for _, argv in ipairs { { "cat", "@FILE@" }, { "/bin/sh", "-c", "cat @FILE@" }, { "../../bin/cat", "@FILE@" } } do
    assert(not pcall(process.run, { argv = argv }), argv[1])
    assert(not pcall(job.start, { name = "j", argv = argv }), argv[1])
  end
  backupResult.status = "SUCCEEDED"
end

return provider
