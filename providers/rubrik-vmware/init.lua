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
local INVENTORY_WAIT = 40  -- seconds for which a creation waits for a VM to appear

-- ---- the connection ----

function provider.testConnection(connection)
  local reply = api.call(connection, "GET", { "host" })
  if reply.status ~= 200 then return false, api.reason(reply) end
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

local function vmOf(backup, server)
  server = server or backup.computeServer
  return backup:getConfigProperty("vm") or (server and server.externalId)
end

function provider.validateBackup(backup, config, opts)
  local connection = backup.connection
  if not connection then return false, "a connection is needed: --connection" end
  if not connection.serviceToken and not (connection.username and connection.password) then return false, "the connection has neither a serviceToken nor username and password" end
  if backup:getConfigProperty("slaDomain") and not vmOf(backup) then opts.errors.vm = "is needed for an SLA domain" end
  return { success = next(opts.errors) == nil, errors = opts.errors }
end

-- True; or false and why not.
local function assign(connection, vm, sla)
  local reply = api.call(connection, "PATCH", { "vmware", "vm", vm }, { json = { configuredSlaDomainId = sla }, patience = 30 })
  if reply.status >= 500 then error({ code = "unreachable", message = api.reason(reply), retryable = true }, 0) end
  if reply.status >= 300 then return false, api.reason(reply), reply.status end
  return true
end

-- Makes at Rubrik what the Backup says.
local function apply(backup)
  local connection, name, sla = backup.connection, vmOf(backup), backup:getConfigProperty("slaDomain")
  if not name then return true end
  local begun, why, mayHelp, id = time.now(), nil, nil, nil
  repeat
    if why then sleep(3) end
    id, why, mayHelp = api.findVm(connection, name)
  until id or not mayHelp or time.since(begun) > INVENTORY_WAIT
  if not id then return false, why end
  backup.externalId = id
  if not sla then return true end
  local found, unknown = api.findSla(connection, sla)
  if not found then return false, unknown end
  return assign(connection, id, found)
end

function provider.createBackup(backup) return apply(backup) end

-- Assigning the same once more does no harm.
function provider.recoverBackup() return ServiceResponse.success { found = false } end

function provider.deleteBackup(backup)
  if not backup:getConfigProperty("slaDomain") or not backup.externalId then return true end
  local ok, why, status = assign(backup.connection, backup.externalId, "INHERIT")
  if status == 404 then return true, "the VM was gone already" end
  return ok, why
end

function provider.updateBackup(backup, previous)
  local ok, why = apply(backup)
  local isLeft = previous:getConfigProperty("slaDomain") and (not backup:getConfigProperty("slaDomain") or previous.externalId ~= backup.externalId)
  if not ok or not isLeft or not previous.externalId or not previous.connection then return ok, why end
  return provider.deleteBackup(previous)
end

-- ---- the start ----

-- Which VM, and what there is of it already: that cannot be what this execution makes.
function provider.prepareBackupResult(backupResult)
  local backup = backupResult.backup
  local name = vmOf(backup, backupResult.computeServer)
  if not name then return false, "which VM? Give vm, or a server with an externalId" end
  local id, why, mayHelp = api.findVm(backup.connection, name)
  if not id then return mayHelp and ServiceResponse.retry(why) or ServiceResponse.error(why) end
  backupResult:setConfigProperty("rubrik.vmId", id)
  backupResult:setConfigProperty("rubrik.known", lookup.known(backup.connection, id))
end

function provider.executeBackup(backup, backupResult)
  local ok, reply = pcall(api.call, backup.connection, "POST", { "vmware", "vm", backupResult:getConfigProperty("rubrik.vmId"), "snapshot" }, { patience = PATIENCE })
  local isLogin = not ok and type(reply) == "table" and api.isLogin(reply) -- it was answered 401, so nothing has begun
  if not ok and not isLogin then error(reply, 0) end
  if isLogin or reply.isRefusal then
    backupResult:setConfigProperty("rubrik.isRefused", true)
    return false, isLogin and reply.message or api.reason(reply)
  end
  local id = reply.status < 300 and reply:content().id
  if not id then error(api.reason(reply), 0) end -- it may run: recoverBackupResult looks for it
  backupResult.externalId = id
  backupResult:save()
end

-- An event or a snapshot that can only be this one: it is adopted. Otherwise nobody knows, and in the end a person has to look.
function provider.recoverBackupResult(backupResult, opts)
  local request = lookup.request(backupResult, opts.sentDate)
  if request then
    backupResult.externalId = request
    return true
  end
  local snapshot, why = lookup.snapshot(backupResult, opts.sentDate)
  if not snapshot then
    return external.lookAgain("what became of the start Rubrik does not tell: " .. why, opts)
  end
  backupResult.externalId, backupResult.snapshotId, backupResult.statusMessage, backupResult.status = snapshot, snapshot, nil, "SUCCEEDED"
  return true
end

-- ---- afterwards ----

local function instant(text) return type(text) == "string" and time.parse(text) or nil end

local words = { QUEUED = "START_REQUESTED", ACQUIRING = "START_REQUESTED", RUNNING = "IN_PROGRESS", FINISHING = "IN_PROGRESS", ["CANCEL REQUESTED"] = "CANCEL_REQUESTED",
  CANCELED = "CANCELLED", SUCCEEDED = "SUCCEEDED", FAILED = "FAILED" }

-- A request: { word, status (ours), ... what Rubrik says }; or nil and the answer that was none.
local function readRequest(connection, id)
  local reply = api.call(connection, "GET", { "vmware", "vm", "request", id })
  local said = reply:content()
  if reply.status ~= 200 or type(said.status) ~= "string" then return nil, reply end
  said.word, said.status = said.status, words[said.status]
  return said
end

-- The last part of the link to what a request made.
local function linkedSnapshot(request)
  for _, link in ipairs(type(request.links) == "table" and request.links or {}) do
    local last = link.rel == "result" and type(link.href) == "string" and link.href:match("/snapshot/([^/?#]+)")
    if last then return url.decode(last) end
  end
end

local function finish(result, request)
  local id, why, mayHelp = linkedSnapshot(request), nil, nil
  if not id then id, why, mayHelp = lookup.snapshot(result, instant(request.startTime) or result.sentDate) end
  local isOverdue = result.deadlineDate and time.now() >= result.deadlineDate
  if not id and mayHelp and not isOverdue and result.errorCount < LISTED_ATTEMPTS then return ServiceResponse.retry("Rubrik has made a snapshot, but which: " .. why) end
  result:setConfigProperty("rubrik.known", nil) -- it has done its duty
  result.snapshotId = id
  result.statusMessage = not id and "Rubrik does not say which snapshot it made: " .. why or nil
  result.status = id and "SUCCEEDED" or "SUCCEEDED_WARNING"
end

function provider.refreshBackupResult(backupResult)
  local id = backupResult.externalId
  local request, failed = readRequest(backupResult.backup.connection, id)
  if not request and failed.status ~= 404 then return ServiceResponse.retry(api.reason(failed)) end
  if not request then return ServiceResponse.gone("Rubrik has no request " .. id) end
  local status = request.status
  local isOver = status == "SUCCEEDED" or status == "FAILED" or status == "CANCELLED"
  external.dates(backupResult, instant(request.startTime), isOver and instant(request.endTime) or nil)
  backupResult.progress = tonumber(request.progress) or backupResult.progress
  if status == "SUCCEEDED" then
    return finish(backupResult, request)
  elseif status == "FAILED" then
    backupResult.errorMessage = api.explain(type(request.error) == "table" and request.error.message) or "Rubrik says no more than FAILED"
    backupResult.status = status
  elseif not status then
    external.unknownStatus(backupResult, "Rubrik", request.word)
  elseif status == "CANCELLED" or backupResult.status ~= "CANCEL_REQUESTED" then
    backupResult.status = status
  end
  if isOver then backupResult:setConfigProperty("rubrik.known", nil) end
end

-- Only newer CDMs know this request.
function provider.cancelBackup(backupResult)
  local connection, id = backupResult.backup.connection, backupResult.externalId
  if not id then return false, "by which request it runs is not known: look in Rubrik" end
  local request = readRequest(connection, id)
  if request and request.status and request.word ~= "QUEUED" and request.word ~= "ACQUIRING" and request.status ~= "IN_PROGRESS" then return true end
  local reply = api.call(connection, "DELETE", { "vmware", "vm", "request", id })
  if reply.status < 300 then return true end
  if reply.status == 429 or reply.status >= 500 and reply.status ~= 501 then return ServiceResponse.retry(api.reason(reply)) end
  return false, "this Rubrik does not cancel the request " .. id .. ": " .. api.reason(reply)
end

-- What there is to delete: the id of the snapshot; nil: nothing; or false and the answer to give.
local function outputOf(result)
  if result.snapshotId then return result.snapshotId end
  if result:getConfigProperty("rubrik.isRefused") or not result.sentDate then return nil end
  local request, failed = nil, nil
  if result.externalId then request, failed = readRequest(result.backup.connection, result.externalId) end
  if failed and failed.status ~= 404 then return false, ServiceResponse.retry(api.reason(failed)) end
  local status = request and request.status
  if status == "FAILED" or status == "CANCELLED" then return nil end
  if request and status ~= "SUCCEEDED" then return false, ServiceResponse.retry("the snapshot is still being made") end
  local id = request and linkedSnapshot(request)
  if id then return id end
  return false, ServiceResponse.error("which snapshot it made is not known: delete it in Rubrik, and the record with --force")
end

function provider.deleteBackupResult(backupResult)
  local id, answer = outputOf(backupResult)
  if answer then return answer end
  if not id then return true, "there is nothing of it at Rubrik" end
  local reply = api.call(backupResult.backup.connection, "DELETE", { "vmware", "vm", "snapshot", id }, { query = { location = "all" }, patience = PATIENCE })
  return external.deletion(reply, "Rubrik", "the snapshot " .. id, api.reason(reply))
end

return provider
