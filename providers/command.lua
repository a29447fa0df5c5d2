-- command: any program or script that makes a backup, without writing Lua.
--
--   orrery backup create db --provider command --set 'argv=/usr/local/bin/dump-db --full' --set cwd=/var/backups
--
-- The program runs as a local job. It learns what it is run for from its environment, and may tell how it is going by lines of
-- output (either one), each of which begins with its word:
--
--   progress: 42 | progress 42%      percent done
--   size: 123456                     bytes of the output
--   path: /var/backups/x.dump        where the output lies
--   id: 8f31                         what the output is called outside (ORRERY_EXTERNAL_ID when it is deleted or extracted)
--   message: copying tables          one line about what is going on
--   warning: table x was skipped     the result ends SUCCEEDED_WARNING
--
-- Exit code 0 is success, one of warningExitCodes success with a warning, anything else a failure; the last lines of output say why.
--
--   ORRERY_RESULT_UUID ORRERY_RESULT_ID ORRERY_BACKUP_NAME ORRERY_BACKUP_UUID    ORRERY_TRIGGER (manual, schedule)
--   ORRERY_EXECUTION_CONFIG (JSON of `backup run --set`)    ORRERY_SERVER ORRERY_SERVER_HOST ORRERY_CLOUD (where there are such)
--   deleteArgv and extractArgv, too: ORRERY_PATH ORRERY_EXTERNAL_ID; extractArgv: ORRERY_DESTINATION
--
-- Invariants: no shell, but the one you name. The backup is started by job.start alone, which finds what was started before, so a crash
-- of the runtime loses nothing and doubles nothing. deleteArgv may run twice after one, so what is gone already must be no error to it.
local provider = Provider {
  apiVersion = 1, code = "command", name = "Command", version = "1.0.0",
  optionTypes = {
    { fieldName = "argv", fieldLabel = "Program and arguments", inputType = "list", required = true,
      helpText = "a list, or text that is parted at blanks ('...' and \"...\" keep words together)" },
    { fieldName = "cwd", fieldLabel = "Folder to run in" },
    { fieldName = "env", fieldLabel = "Environment", inputType = "list", helpText = "NAME=value, or several such lines" },
    { fieldName = "secretEnv", fieldLabel = "Secret environment", inputType = "password", helpText = "lines of NAME=value, as --set secretEnv=@FILE" },
    { fieldName = "warningExitCodes", fieldLabel = "Exit codes that are warnings", inputType = "list" },
    { fieldName = "deleteArgv", fieldLabel = "Deletes an output", inputType = "list",
      helpText = "without it, deleting a result leaves its output alone" },
    { fieldName = "extractArgv", fieldLabel = "Writes an output to ORRERY_DESTINATION", inputType = "list",
      helpText = "without it, what `path:` said is copied" },
  },
  refreshInterval = 1,
  timeouts = { deleteBackupResult = 3600, extractBackup = 6 * 3600 },
  needs = {
    exec = { "${option.argv}", "${option.deleteArgv}", "${option.extractArgv}", "cp" },
    read = { "${option.cwd}", "${opts.destination}" },
  },
}

-- ---- before ----

-- The words of a text, parted at blanks that are in no quotes; nil and why.
local function words(text)
  local list, at = {}, text:find("%S")
  while at do
    local word = ""
    repeat
      local quote = text:match("^[\"']", at)
      local piece, stop = text:match(quote and "^" .. quote .. "([^" .. quote .. "]*)" .. quote .. "()" or "^([^%s\"']+)()", at)
      if not piece then return nil, "has a " .. quote .. " that is not closed" end
      word, at = word .. piece, stop
    until at > #text or text:find("^%s", at)
    list[#list + 1], at = word, text:find("%S", at)
  end
  return list
end

local vectors = { "argv", "deleteArgv", "extractArgv" }

-- Text becomes a list here, once, so that `backup show` shows what will be run.
function provider.configureBackup(backup, config, opts)
  for _, name in ipairs(vectors) do
    if type(config[name]) == "string" then
      local list, err = words(config[name])
      if err then return ServiceResponse.error(nil, { [name] = err }) end
      backup:setConfigProperty(name, list)
    end
  end
end

function provider.validateBackup(backup, config, opts)
  local errors = opts.errors
  for _, name in ipairs(vectors) do
    local argv = backup:getConfigProperty(name) or {}
    local program = argv[1]
    if program and not process.find(program) then
      errors[name] = program .. (program:find("/", 1, true) and " is no program that can be run (by its absolute path)" or " is not installed, or not in PATH")
    end
    for _, word in ipairs(argv) do
      if word:find("^[|<>;&]+$") then errors[name] = "'" .. word .. "' means something to a shell only; here is none, but you may name one: sh -c '...'" end
    end
  end
  local cwd = backup:getConfigProperty("cwd")
  if cwd and (cwd:sub(1, 1) ~= "/" or (fs.stat(cwd) or {}).type ~= "directory") then errors.cwd = "there is no folder " .. cwd end
  return { success = next(errors) == nil, errors = errors }
end

-- ---- running ----

local function environment(backup, result, more)
  local env, server = {}, result.computeServer
  local cloud = server and server.cloud or backup.cloud
  local given, secrets = table.concat(backup:getConfigProperty("env") or {}, "\n"), backup:getConfigProperty("secretEnv") or ""
  for name, value in given:gmatch("([%a_][%w_]*)=([^\r\n]*)") do env[name] = value end
  for name, value in secrets:gmatch("([%a_][%w_]*)=([^\r\n]*)") do env[name] = secret(value) end
  env.ORRERY_RESULT_UUID, env.ORRERY_RESULT_ID = result.uuid, result.id
  env.ORRERY_BACKUP_NAME, env.ORRERY_BACKUP_UUID = backup.name, backup.uuid
  env.ORRERY_TRIGGER, env.ORRERY_EXECUTION_CONFIG = result.trigger, json.encode(result.executionConfig)
  env.ORRERY_SERVER, env.ORRERY_SERVER_HOST = server and server.name, server and server.hostname
  env.ORRERY_CLOUD = cloud and cloud.name
  env.ORRERY_PATH, env.ORRERY_EXTERNAL_ID = result.resultPath, result.externalId
  for name, value in pairs(more or {}) do env[name] = value end
  return env
end

function provider.executeBackup(backup, backupResult)
  local ok, err = pcall(function()
    return job.start { name = "command", argv = backup:getConfigProperty("argv"), cwd = backup:getConfigProperty("cwd"),
      env = environment(backup, backupResult) }
  end)
  if not ok then return false, err.message end
end

local function takeLine(result, line)
  local word, value = line:match("^(%a+):%s*(.-)%s*$")
  local percent = line:match("^progress:?%s*(%d+%.?%d*)%s*%%?%s*$")
  if percent then result.progress = math.min(100, tonumber(percent))
  elseif word == "size" and tonumber(value) then result.sizeInBytes = math.floor(tonumber(value))
  elseif word == "path" then result.resultPath = value
  elseif word == "id" then result.externalId = value
  elseif word == "message" then result.statusMessage = value
  elseif word == "warning" then result:setConfigProperty("command.warning", value) end
end

-- Reads what is new in the output: while it runs one portion, at the end all of it.
local function takeOutput(result, hasEnded)
  local before = result:getConfigProperty("command.cursor") or 0
  local lines, cursor = job.lines("command", before)
  while #lines > 0 do
    for _, line in ipairs(lines) do takeLine(result, line) end
    if not hasEnded then break end
    lines, cursor = job.lines("command", cursor)
  end
  if hasEnded then takeLine(result, (job.read("command", { from = cursor }))) end -- the last line may lack its end
  if cursor ~= before then result:setConfigProperty("command.cursor", cursor) end
end

local function isWarning(backup, code)
  for _, listed in ipairs(backup:getConfigProperty("warningExitCodes") or {}) do
    for number in tostring(listed):gmatch("%d+") do
      if tonumber(number) == code then return true end
    end
  end
  return false
end

function provider.refreshBackupResult(backupResult)
  local state = job.poll("command")
  if state.state == "absent" then return ServiceResponse.gone("the directory of its job is gone, and with it what tells whether it runs") end
  takeOutput(backupResult, state.state == "ended" or state.state == "lost")
  if state.state == "running" or state.state == "starting" then return end
  local warning = backupResult:getConfigProperty("command.warning")
  if state.code and isWarning(backupResult.backup, state.code) then
    backupResult.status, backupResult.statusMessage = "SUCCEEDED_WARNING", warning or "exit code " .. state.code
    return
  elseif state.code == 0 then
    backupResult.status, backupResult.statusMessage = warning and "SUCCEEDED_WARNING" or "SUCCEEDED", warning or backupResult.statusMessage
    return
  end
  local output = job.tail("command", 20)
  backupResult.errorOutput = output ~= "" and output or nil
  backupResult.status = state.cancelled and "CANCELLED" or "FAILED"
  if state.cancelled then return end
  local why = state.state ~= "ended" and "it was killed, or died with the machine" or state.signal ~= 0 and "ended by signal " .. state.signal
    or state.code < 0 and state.message or "exit code " .. state.code
  local last = output:match("([^\n]+)%s*$")
  backupResult.errorMessage = last and why .. ": " .. last or why
end

function provider.cancelBackup(backupResult)
  job.cancel("command")
  return true
end

-- ---- afterwards ----

local function run(backupResult, argv, more)
  local backup = backupResult.backup
  local ok, done = pcall(process.run, { argv = argv, cwd = backup:getConfigProperty("cwd"), env = environment(backup, backupResult, more) })
  if not ok and done.code == "no_program" then return false, done.message end
  if not ok then error(done, 0) end
  return done.code == 0, done.stderr:match("([^\n]+)%s*$") or "exit code " .. done.code
end

function provider.deleteBackupResult(backupResult)
  local argv = backupResult.backup:getConfigProperty("deleteArgv")
  if not argv then return ServiceResponse.success(nil, "there is no deleteArgv: what it wrote stays where it is") end
  local ok, why = run(backupResult, argv)
  return ok, not ok and why or nil
end

function provider.extractBackup(backupResult, opts)
  local to, argv = opts.destination, backupResult.backup:getConfigProperty("extractArgv")
  if not argv and not backupResult.resultPath then return false, "there is no extractArgv, and the command said no `path: ...`" end
  local ok, why = run(backupResult, argv or { "cp", "--recursive", "--", backupResult.resultPath, to }, { ORRERY_DESTINATION = to })
  if not ok then return false, why end
  local there = fs.stat(to)
  if not there then return false, "extractArgv has not written " .. to end
  if there.type ~= "file" then return ServiceResponse.success { path = to, sizeInBytes = backupResult.sizeInBytes } end
  return ServiceResponse.success { path = to, sizeInBytes = there.size, sha256 = hash.file(to) }
end

return provider
