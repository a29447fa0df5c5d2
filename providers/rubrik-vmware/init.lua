-- rubrik-vmware: on-demand snapshots of VMware VMs by a Rubrik CDM, and SLA domains for them. Tested against simulators only; README.md says what is
-- and is not possible.
--
-- A snapshot is asked for without a name, and answered with the id of a request, which tells of it. Where that answer is lost, Rubrik's events and
-- the dates of the VM's snapshots are all there is.
--
-- Invariants: the id of the request is saved as soon as it is known. A start whose answer was lost is adopted where exactly one thing can be it;
-- it is never sent again.
local api = require "api"
local lookup = require "lookup"

local provider = Provider {
  apiVersion = 1, code = "rubrik-vmware", name = "Rubrik (VMware)", version = "1.0.0",
  connectionOptionTypes = {
    { fieldName = "serviceUrl", fieldLabel = "Address of the CDM", required = true, helpText = "such as https://rubrik.example.com" },
    { fieldName = "serviceToken", fieldLabel = "API token", inputType = "password", helpText = "instead of user and password" },
    { fieldName = "username", fieldLabel = "User" },
    { fieldName = "password", fieldLabel = "Password", inputType = "password" },
  },
  optionTypes = {
    { fieldName = "vm", fieldLabel = "VM", helpText = "vm-123 as in vCenter, or Rubrik's id; if not given: the externalId of the server that the Backup is for" },
    { fieldName = "slaDomain", fieldLabel = "SLA domain", optionSource = "slaDomains", helpText = "id or name; the VM is put under it as long as the Backup is there" },
  },
  refreshInterval = 30, visibilityDelay = 45, timeout = 24 * 3600,
  needs = { http = { "${connection.serviceUrl}" } },
}

local PATIENCE = 600       -- seconds for which a request is held back where Rubrik is too busy
local LISTED_ATTEMPTS = 5  -- looks for a snapshot that is not listed yet, of those that no link tells
local INVENTORY_WAIT = 40  -- seconds for which a hook waits for a VM to appear

-- ---- the connection ----

function provider.testConnection(connection)
  local reply = api.call(connection, "GET", { "host" })
  if reply.status ~= 200 or type(reply:content().data) ~= "table" then return false, api.reason(reply) end
  return true, "Rubrik answers, and lets us in"
end

function provider.optionSource(name, connection)
  if name ~= "slaDomains" then return false, "there is no option source " .. name end
  local rows, failed = api.list(connection, { "sla_domain" })
  if not rows then return false, api.reason(failed) end
  local choices = json.array {}
  for _, row in ipairs(rows) do choices[#choices + 1] = { name = row.name or row.id, value = row.id } end
  return ServiceResponse.success(choices)
end

-- ---- the Backup: its VM, and the SLA domain that is assigned to it ----

local function vmOf(backup) return external.target({ backup = backup }, "vm") end

function provider.validateBackup(backup, config, opts)
  local connection = backup.connection
  if not connection then return false, "a connection is needed: --connection" end
  local isOwn = connection.username and connection.password
  if not isOwn and not connection.serviceToken then return false, "the connection has neither a serviceToken nor username and password" end
  if backup:getConfigProperty("slaDomain") and not vmOf(backup) then opts.errors.vm = "is needed for an SLA domain" end
  return { success = next(opts.errors) == nil, errors = opts.errors }
end

local function assign(connection, vm, sla)
  return api.call(connection, "PATCH", { "vmware", "vm", vm }, { json = { configuredSlaDomainId = sla }, patience = 30 })
end

-- Makes at Rubrik what the Backup says.
function provider.createBackup(backup)
  local connection, name, sla = backup.connection, vmOf(backup), backup:getConfigProperty("slaDomain")
  if not name then return true end
  local vm, why = api.findVm(connection, name, INVENTORY_WAIT)
  if not vm then return false, why end
  backup.externalId = vm
  if not sla then return true end
  local found, unknown = api.findSla(connection, sla)
  if not found then return false, unknown end
  local reply = assign(connection, vm, found)
  if reply.status < 300 then return true end
  api.unlessRefused(reply)
  return false, api.reason(reply)
end

-- Assigning the same once more does no harm.
function provider.recoverBackup() return ServiceResponse.success { found = false } end

function provider.deleteBackup(backup)
  if not backup:getConfigProperty("slaDomain") or not backup.externalId then return true end
  local reply = assign(backup.connection, backup.externalId, "INHERIT")
  return external.deletion(reply, "Rubrik", "the SLA domain of " .. backup.externalId, api.reason(reply))
end

function provider.updateBackup(backup, previous)
  local ok, why = provider.createBackup(backup)
  local isLeft = previous:getConfigProperty("slaDomain") and (not backup:getConfigProperty("slaDomain") or previous.externalId ~= backup.externalId)
  if not ok or not isLeft or not previous.externalId or not previous.connection then return ok, why end
  return provider.deleteBackup(previous)
end

-- ---- the start ----

-- Which VM, and what there is of it already: that cannot be what this execution makes.
function provider.prepareBackupResult(backupResult)
  local backup = backupResult.backup
  local name = external.target(backupResult, "vm")
  if not name then return false, "which VM? Give vm, or a server with an externalId" end
  local vm, why, mayHelp = api.findVm(backup.connection, name, INVENTORY_WAIT)
  if not vm then return mayHelp and ServiceResponse.retry(why) or ServiceResponse.error(why) end
  backupResult:setConfigProperty("rubrik.vmId", vm)
  lookup.prepare(backupResult)
end

function provider.executeBackup(backup, backupResult)
  local vm = backupResult:getConfigProperty("rubrik.vmId")
  local reply = api.call(backup.connection, "POST", { "vmware", "vm", vm, "snapshot" }, { patience = PATIENCE })
  return external.started(backupResult, reply, reply:content().id, api.reason(reply))
end

-- A request or a snapshot that can only be this one is adopted. Otherwise nobody knows, and in the end a person has to look.
function provider.recoverBackupResult(backupResult, opts)
  local request, snapshot, why = lookup.start(backupResult, opts.sentDate)
  if not request and not snapshot then return external.lookAgain("what became of the start Rubrik does not tell: " .. why, opts) end
  backupResult.externalId = request or snapshot
  if snapshot then backupResult.snapshotId, backupResult.statusMessage, backupResult.status = snapshot, nil, "SUCCEEDED" end
  return true
end

-- ---- afterwards ----

local function finish(result, request)
  local id, why, mayHelp = api.snapshotOf(request), nil, nil
  if not id then id, why, mayHelp = lookup.snapshot(result, request.startTime) end
  local isOverdue = result.deadlineDate and time.now() >= result.deadlineDate
  mayHelp = mayHelp and not isOverdue and result.errorCount < LISTED_ATTEMPTS
  if mayHelp then return ServiceResponse.retry("Rubrik has made a snapshot, but which: " .. why) end
  external.know(result, nil) -- it has done its duty
  result.snapshotId = id
  result.statusMessage = not id and "Rubrik does not say which snapshot it made: " .. why or nil
  result.status = id and "SUCCEEDED" or "SUCCEEDED_WARNING"
end

function provider.refreshBackupResult(backupResult)
  local id = backupResult.externalId
  local request, failed = api.readRequest(backupResult.backup.connection, id)
  if not request and failed.status ~= 404 then return external.later(failed, api.reason(failed)) end
  if not request then return ServiceResponse.gone("Rubrik has no request " .. id) end
  local status = request.status
  external.dates(backupResult, request.startTime, request.isOver and request.endTime)
  backupResult.progress = tonumber(request.progress) or backupResult.progress
  if status == "SUCCEEDED" then
    return finish(backupResult, request)
  elseif status == "FAILED" then
    backupResult.errorMessage = api.explain(request.error) or "Rubrik says no more than FAILED"
    backupResult.status = status
  elseif not status then
    external.unknownStatus(backupResult, "Rubrik", request.word)
  elseif status == "CANCELLED" or backupResult.status ~= "CANCEL_REQUESTED" then
    backupResult.status = status
  end
  if request.isOver then external.know(backupResult, nil) end
end

-- Only newer CDMs know this request.
function provider.cancelBackup(backupResult)
  local connection, id = backupResult.backup.connection, backupResult.externalId
  if not id then return false, "by which request it runs is not known: look in Rubrik" end
  local request = api.readRequest(connection, id)
  if request and (request.isOver or request.status == "CANCEL_REQUESTED") then return true end
  local reply = api.call(connection, "DELETE", { "vmware", "vm", "request", id })
  if reply.status < 300 then return true end
  if reply.status == 429 or reply.status >= 500 and reply.status ~= 501 then return external.later(reply, api.reason(reply)) end
  return false, "this Rubrik does not cancel the request " .. id .. ": " .. api.reason(reply)
end

-- What there is to delete: the id of the snapshot; nil: nothing; or false and the answer to give.
local function outputOf(result)
  if result.snapshotId then return result.snapshotId end
  if not external.mayExist(result) then return nil end
  local request, failed = nil, nil
  if result.externalId then request, failed = api.readRequest(result.backup.connection, result.externalId) end
  if failed and failed.status ~= 404 then return false, external.later(failed, api.reason(failed)) end
  local id = request and api.snapshotOf(request)
  if id then return id end
  if request and not request.isOver then return false, ServiceResponse.retry("the snapshot is still being made") end
  if request and request.status ~= "SUCCEEDED" then return nil end
  return false, ServiceResponse.error("which snapshot it made is not known: delete it in Rubrik, and the record with --force")
end

function provider.deleteBackupResult(backupResult)
  local id, answer = outputOf(backupResult)
  if answer then return answer end
  if not id then return true, "there is nothing of it at Rubrik" end
  local everywhere = { query = { location = "all" }, patience = PATIENCE }
  local reply = api.call(backupResult.backup.connection, "DELETE", { "vmware", "vm", "snapshot", id }, everywhere)
  return external.deletion(reply, "Rubrik", "the snapshot " .. id, api.reason(reply))
end

return provider
