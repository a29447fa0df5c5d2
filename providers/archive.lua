-- archive: a folder as one compressed tar file, and the provider to read first (docs/providers.md goes on from here). tar runs as a job:
-- job.start finds a job again instead of starting it twice, so a crash loses nothing and doubles nothing without another word here.
local provider = Provider {
  apiVersion = 1, code = "archive", name = "Archive (tar + zstd)", version = "1.0.0",
  optionTypes = { -- as in: orrery backup create NAME --provider archive --set path=/srv/docs --set target=/var/backups
    { fieldName = "path", fieldLabel = "Folder to back up", inputType = "text", required = true },
    { fieldName = "target", fieldLabel = "Folder for the archives", inputType = "text", required = true },
  },
  refreshInterval = 1, timeouts = { extractBackup = 6 * 3600 }, -- seconds; the end of a job is noticed at once
  needs = { exec = { "tar", "zstd", "cp" }, -- this is all that the file may reach
    read = { "${option.path}", "${option.target}", "${opts.destination}" }, write = { "${option.target}", "${opts.destination}" } },
}

-- When a Backup is created. opts.errors has what is missing already; an entry halts the creation.
function provider.validateBackup(backup, config, opts)
  local errors, path, target = opts.errors, backup:getConfigProperty("path"), backup:getConfigProperty("target")
  for field, folder in pairs{ path = path, target = target } do
    if folder:sub(1, 1) ~= "/" then errors[field] = "must be an absolute path, not '" .. folder .. "'" end
  end
  if path and not errors.path then
    if (fs.stat(path) or {}).type ~= "directory" then errors.path = "there is no folder " .. path end
    if ((target or "") .. "/"):sub(1, #path + 1) == path .. "/" then errors.target = "lies within the path that is backed up" end
  end
  return { success = next(errors) == nil, errors = errors }
end

-- Before every execution. What is wrong here ends it as FAILED before anything was started.
function provider.prepareExecuteBackup(backup)
  local ok, err = pcall(function() -- what waits raises { code, message } when it cannot
    for _, tool in ipairs{ "tar", "zstd" } do process.run { argv = { tool, "--version" }, safe = true } end -- safe: it changes nothing
    fs.mkdir(backup:getConfigProperty("target"))
  end)
  return ok, err and err.message
end

function provider.executeBackup(backup, backupResult)
  local begun = time.format(backupResult.createdDate, "%Y%m%d-%H%M%S")
  backupResult.resultArchive = string.format("%s-%s-%s.tar.zst", backup.name, begun, backupResult.uuid:sub(1, 8))
  backupResult.resultPath = backup:getConfigProperty("target") .. "/" .. backupResult.resultArchive
  job.start { name = "tar", argv = { "tar", "--create", "--zstd", "--ignore-failed-read", "--force-local", "--file=" .. backupResult.resultPath,
    "--directory=" .. backup:getConfigProperty("path"), "." } }
end

function provider.refreshBackupResult(backupResult)
  local tar = job.poll("tar")
  backupResult.sizeInBytes = (fs.stat(backupResult.resultPath) or {}).size
  if tar.state == "running" or tar.state == "starting" then return end
  if tar.state == "absent" then return ServiceResponse.gone("the directory of its job is gone, and with it what tells whether tar runs") end
  local output = tar.state == "ended" and job.tail("tar") or "tar was killed, or died with the machine"
  if output ~= "" then backupResult.errorOutput, backupResult.statusMessage = output, output:match("[^\n]+") end
  if tar.code == 0 or tar.code == 1 then -- 1: something changed while it was read; what cannot be read is only written about
    backupResult.status = output == "" and "SUCCEEDED" or "SUCCEEDED_WARNING"
  else
    backupResult.status = tar.cancelled and "CANCELLED" or "FAILED"
    fs.remove(backupResult.resultPath) -- half an archive is of no use
  end
end

function provider.cancelBackup(backupResult)
  job.cancel("tar") -- returns at once; a refresh sees how it ended
  return true
end

function provider.deleteBackupResult(backupResult)
  if backupResult.resultPath then fs.remove(backupResult.resultPath) end
  return true -- it must be said: a forgotten return deletes no record
end

-- Unpacks the archive into a folder, or copies it to a file.
function provider.extractBackup(backupResult, opts)
  local to, from = opts.destination, backupResult.resultPath
  if to:sub(-1) == "/" then fs.mkdir(to) end
  local isFolder = (fs.stat(to) or {}).type == "directory"
  local unpack = { "tar", "--extract", "--force-local", "--file=" .. from, "--directory=" .. to }
  local done = process.run { argv = isFolder and unpack or { "cp", "--", from, to } }
  if done.code ~= 0 then return false, done.stderr:match("[^\n]+") end
  return ServiceResponse.success { path = to, sizeInBytes = backupResult.sizeInBytes, sha256 = not isFolder and hash.file(to) or nil }
end

return provider
