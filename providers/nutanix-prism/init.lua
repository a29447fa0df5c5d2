-- nutanix-prism: snapshots of VMs, through Prism Central or Element. Tested against simulators only; README.md says what is and is not possible.
--
-- A snapshot is asked for with a name made of the result's uuid, and made by a task. The task's id tells of it while it runs, its name afterwards.
-- The two Prisms differ in where their tasks are and in the words of them; `prisms` says how, everything else is the same.
--
-- Invariants: the id of the task is saved as soon as it is known. A start whose answer was lost is never sent again: Prism has no way to say
-- that a snapshot is not being made.
local provider = Provider {
  apiVersion = 1, code = "nutanix-prism", name = "Nutanix Prism (VM snapshots)", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "serviceUrl", fieldLabel = "Address of Prism", required = true, helpText = "such as https://prism.example.com:9440" },
    { fieldName = "username", fieldLabel = "User", required = true },
    { fieldName = "password", fieldLabel = "Password", inputType = "password", required = true },
    { fieldName = "prism", fieldLabel = "Which Prism it is", inputType = "select", choices = { "central", "element" }, defaultValue = "central" },
    { fieldName = "clusterUuid", fieldLabel = "UUID of the cluster", helpText = "for Prism Central; a Backup can name another" },
  },
  optionTypes = {
    { fieldName = "vmUuid", fieldLabel = "UUID of the VM", helpText = "if not given: the externalId of the server that the Backup is for" },
    { fieldName = "clusterUuid", fieldLabel = "UUID of the cluster", helpText = "for Prism Central; if not given: the connection's, else the externalId of the cloud" },
  },
  refreshInterval = 30, visibilityDelay = 30, timeout = 24 * 3600,
  needs = { http = { "${connection.serviceUrl}" } },
}

local PATIENCE = 300    -- seconds for which a request is held back where Prism is too busy
local LISTED_WAIT = 30  -- seconds for which a deletion looks for a snapshot that may have been made
local DELETE_WAIT = 600 -- seconds until the task of a deletion must have ended

-- ---- the API ----

local function micros(value) return tonumber(value) and math.floor(tonumber(value) / 1000) end

-- Where tasks are, and what of them is what.
local prisms = {
  central = {
    tasks = { "v3", "tasks" },
    read = function(task) return task.status, task.entity_reference_list, "kind", "uuid", task.start_time, task.completion_time end,
  },
  element = {
    tasks = { "v2.0", "tasks" },
    read = function(task)
      return task.progress_status, task.entity_list, "entity_type", "entity_id", micros(task.start_time_usecs), micros(task.complete_time_usecs)
    end,
  },
}

local function prismOf(connection) return prisms[connection.config.prism or "central"] end

-- Sends a request below /api/nutanix; `options` as http.request has them.
local function call(connection, method, segments, options)
  options = options or {}
  local base = connection.serviceUrl:gsub("/+$", ""):gsub("/api/nutanix.*$", ""):gsub("/api$", "")
  options.method, options.url = method, url.path(base, "api", "nutanix", unpack(segments))
  options.auth = { username = connection.username, password = connection.password }
  return http.request(options)
end

-- The same for a result's snapshots, on its cluster.
local function snapshots(result, method, id, options)
  options = options or {}
  options.query = options.query or {}
  options.query.proxyClusterUuid = result:getConfigProperty("nutanix.clusterUuid")
  return call(result.backup.connection, method, { "v2.0", "snapshots", id }, options)
end

-- What an error says, in one text: it is one, or has it in one of the places where the versions of the API put it.
local function explain(said)
  if type(said) ~= "table" then return said and tostring(said) end
  local first = type(said.message_list) == "table" and said.message_list[1] or nil
  return explain(first) or explain(said.message) or explain(said.detailed_message)
end

local function reason(reply) return external.reason(reply, "Prism", explain(reply:content())) end

-- A task: { word, status (in upper case), isOver, progress, startDate, endDate, snapshot, why }; or nil and the answer that was none.
local function readTask(connection, id)
  local prism = prismOf(connection)
  local reply = call(connection, "GET", { prism.tasks[1], prism.tasks[2], id })
  local said = reply:content()
  local word, entities, kind, key, startDate, endDate = prism.read(said)
  if reply.status ~= 200 or type(word) ~= "string" then return nil, reply end
  local response = type(said.meta_response) == "table" and said.meta_response or {}
  local task = { word = word, status = word:upper(), progress = tonumber(said.percentage_complete), startDate = startDate, endDate = endDate }
  if task.status == "FAILURE" then task.status = "FAILED" end
  task.isOver = task.status == "SUCCEEDED" or task.status == "FAILED" or task.status == "ABORTED"
  task.why = explain(said.error_detail) or explain(response.error_detail)
  for _, entity in ipairs(type(entities) == "table" and entities or {}) do
    if tostring(entity[kind]):lower() == "snapshot" then task.snapshot = entity[key] end
  end
  return task
end

-- ---- this result's snapshot ----

local function nameOf(result) return "orrery-" .. result.uuid end

-- The id of the snapshot of our name, and when it was made; nil: the list has none; or false and the answer that was no list.
local function findSnapshot(result)
  local reply, listed, number = nil, 0, 1
  for page in http.pages {
    get = function(query)
      reply = snapshots(result, "GET", nil, { query = query })
      return reply.status == 200 and reply:content() or {}
    end,
    next = function(said) -- a list that is not as long as it says comes in pages
      local rows, metadata = said.entities or {}, type(said.metadata) == "table" and said.metadata or {}
      listed, number = listed + #rows, number + 1
      local goesOn = #rows > 0 and listed < (tonumber(metadata.grand_total_entities) or 0)
      return goesOn and "?page=" .. number .. "&count=" .. #rows or nil
    end,
  } do
    if type(page.entities) ~= "table" then return false, reply end
    for _, row in ipairs(page.entities) do
      if row.snapshot_name == nameOf(result) and row.uuid then return row.uuid, micros(row.created_time) end
    end
  end
end

-- ---- hooks ----

function provider.testConnection(connection)
  local cluster = connection.config.clusterUuid
  local reply = call(connection, "GET", { "v2.0", "snapshots" }, { query = { proxyClusterUuid = cluster } })
  if reply.status == 401 or reply.status == 403 then return false, "user and password are not accepted: " .. reason(reply) end
  local isAboutCluster = not cluster and reply.isRefusal and reply.status ~= 404 and reply.status ~= 429 -- which a Backup can name
  if type(reply:content().entities) ~= "table" and not isAboutCluster then return false, reason(reply) end
  return true, "Prism answers, and accepts user and password"
end

function provider.validateBackup(backup)
  if not backup.connection then return false, "a connection is needed: --connection" end
end

function provider.prepareBackupResult(backupResult)
  local backup, vm = backupResult.backup, external.target(backupResult, "vmUuid")
  local server = backupResult.computeServer or backup.computeServer
  local cloud = server and server.cloud or backup.cloud
  local cluster = backup:getConfigProperty("clusterUuid") or backup.connection.config.clusterUuid or (cloud and cloud.externalId)
  if not vm then return false, "which VM? Give vmUuid, or a server with an externalId" end
  if backup.connection.config.prism == "element" then cluster = nil
  elseif not cluster then return false, "which cluster? Prism Central has several: give clusterUuid" end
  backupResult:setConfigProperty("nutanix.vmUuid", vm)
  backupResult:setConfigProperty("nutanix.clusterUuid", cluster)
end

function provider.executeBackup(backup, backupResult)
  local spec = { vm_uuid = backupResult:getConfigProperty("nutanix.vmUuid"), snapshot_name = nameOf(backupResult) }
  local reply = snapshots(backupResult, "POST", nil, { json = { snapshot_specs = { spec } }, patience = PATIENCE })
  return external.started(backupResult, reply, reply:content().task_uuid, reason(reply))
end

-- The snapshot is there: it ran. That it is not does not say that no task is making it, so it is asked for again, and then somebody has to look.
function provider.recoverBackupResult(backupResult, opts)
  local snapshot, told = findSnapshot(backupResult)
  if snapshot then
    external.dates(backupResult, nil, told)
    backupResult.externalId, backupResult.snapshotId = snapshot, snapshot
    backupResult.statusMessage, backupResult.status = nil, "SUCCEEDED"
    return true
  end
  local why = told and reason(told) or "there is no snapshot " .. nameOf(backupResult) .. " yet; whether a task is making it Prism does not say"
  return external.lookAgain(why, opts)
end

-- The task has succeeded: with its snapshot, or nearly.
local function finish(result, task)
  local id, failed = task.snapshot, nil
  if not id then id, failed = findSnapshot(result) end
  if id == false then return ServiceResponse.retry("the task has succeeded, but " .. reason(failed)) end
  if not id then return ServiceResponse.retry("the task has succeeded, but there is no snapshot " .. nameOf(result) .. " yet") end
  result.snapshotId = id
  local reply = snapshots(result, "GET", id)
  if reply.status ~= 200 then return ServiceResponse.retry("the task has succeeded, but of its snapshot " .. id .. " " .. reason(reply)) end
  external.dates(result, task.startDate, task.endDate or micros(reply:content().created_time))
  result.statusMessage = nil -- of what was in the way before
  result.status = "SUCCEEDED"
end

function provider.refreshBackupResult(backupResult)
  local connection, id = backupResult.backup.connection, backupResult.externalId
  local task, failed = readTask(connection, id)
  if not task and failed.status ~= 404 then return external.later(failed, reason(failed)) end
  if not task then
    local snapshot = findSnapshot(backupResult) -- which outlives the word of the task
    if snapshot then return finish(backupResult, { snapshot = snapshot }) end
    return ServiceResponse.gone("Prism has no task " .. id)
  end
  if task.status == "SUCCEEDED" then return finish(backupResult, task) end
  external.dates(backupResult, task.startDate, task.isOver and task.endDate)
  if task.status == "FAILED" then
    backupResult.errorMessage = task.why or ("Prism says no more than that the task " .. id .. " has failed")
    backupResult.status = "FAILED"
  elseif task.status == "ABORTED" then
    backupResult.statusMessage, backupResult.status = "the task " .. id .. " was aborted in Prism", "CANCELLED"
  elseif task.status == "QUEUED" or task.status == "RUNNING" then
    backupResult.progress = task.progress
  else
    external.unknownStatus(backupResult, "Prism", task.word)
  end
end

function provider.cancelBackup()
  return false, "Prism cannot cancel a snapshot"
end

-- What there is to delete: the id of the snapshot; nil: nothing; or false and the answer to give.
local function outputOf(result)
  if result.snapshotId then return result.snapshotId end
  if not external.mayExist(result) then return nil end
  local task, unread = nil, nil
  if result.externalId then task, unread = readTask(result.backup.connection, result.externalId) end
  if unread and unread.status ~= 404 then return false, external.later(unread, reason(unread)) end
  if task and task.snapshot then return task.snapshot end
  if task and not task.isOver then return false, ServiceResponse.retry("the snapshot is still being made") end
  local begun = time.now()
  repeat -- what has just been made may not be listed yet
    local snapshot, failed = findSnapshot(result)
    if snapshot == false then return false, external.unread(failed, reason(failed)) end
    if snapshot or task and task.status ~= "SUCCEEDED" then return snapshot end
    sleep(5)
  until time.since(begun) > LISTED_WAIT
  if task then return false, ServiceResponse.retry("the snapshot was made, but Prism does not list it") end
end

-- The end of a deletion, as the answer. What counts is that the snapshot is not there any more: a task may fail because another, whose id nobody
-- learnt, or somebody else's has deleted it.
local function waitForDeletion(result, id, task)
  return poll { every = 2, timeout = DELETE_WAIT, message = "the deletion of the snapshot " .. id .. " does not come to its end", check = function()
    local state = task and readTask(result.backup.connection, task)
    if state and state.status == "SUCCEEDED" then return ServiceResponse.success(nil, "the snapshot is deleted") end
    if state and not state.isOver then return nil end
    local reply = snapshots(result, "GET", id)
    if reply.status == 404 then return ServiceResponse.success(nil, "the snapshot is deleted") end
    if not state or reply.status ~= 200 then return nil end
    if state.status == "ABORTED" then return ServiceResponse.retry("the task of the deletion was aborted") end
    return ServiceResponse.error("Prism keeps the snapshot " .. id .. ": " .. (state.why or "its task has failed"))
  end }
end

function provider.deleteBackupResult(backupResult)
  local id, answer = outputOf(backupResult)
  if answer then return answer end
  if not id then return true, "there is nothing of it in Prism" end
  local reply = snapshots(backupResult, "DELETE", id, { patience = PATIENCE })
  if reply.status < 300 then return waitForDeletion(backupResult, id, reply:content().task_uuid) end
  return external.deletion(reply, "Prism", "the snapshot " .. id, reason(reply))
end

return provider
