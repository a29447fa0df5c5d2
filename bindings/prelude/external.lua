-- external: what providers of systems with a clock, words and waits of their own have in common.
local _, lib = ...

local error, ipairs, type, find, match, min = error, ipairs, type, lib.string.find, lib.string.match, lib.math.min
local tonumber, tostring = tonumber, tostring -- ServiceResponse is made after the libraries, and looked up when it is needed
local json, time, url = lib.json, lib.time, lib.url

local external = {}

local function wrong(message) error({ code = "invalid", message = message, retryable = false }, 0) end

---Where the API of a connection is that also has a public address, the default of its serviceUrl: there; or at its host, by https and at its port, if it has
---them; or at its serviceUrl. Raises where these say different things: credentials go only where somebody has certainly meant.
---@param connection BackupProvider
---@param public string
---@return string address
function external.address(connection, public)
  local given, host, port = connection.serviceUrl, connection.host, connection.port
  if not host or host == "" then
    if port and port ~= (url.parse(given or public) or {}).port then wrong("the connection has the port " .. port .. " and no host: give it a host, too") end
    return given or public
  end
  local named = (find(host, "://", 1, true) and host or "https://" .. host) .. (port and ":" .. port or "")
  local meant, why = url.parse(named)
  if not meant then wrong("the host " .. named .. " of the connection: " .. why) end
  if not given or given == public then return named end
  local other = url.parse(given) or {}
  if other.host == meant.host and (not port or other.port == port) then return given end
  return wrong("the connection has the address " .. given .. " and the host " .. host .. (port and ":" .. port or "") .. ": give it one of them")
end

---What an execution is of, by its id outside: the option of the Backup, else the externalId of the server that the execution, or the Backup, is for.
---@param backupResult BackupResult
---@param option string
---@return string? id
function external.target(backupResult, option)
  local backup = backupResult.backup
  local server = backupResult.computeServer or backup.computeServer
  return backup:getConfigProperty(option) or server and server.externalId
end

---Why something was not done, in one line. Of an answer that says all is well nothing is told: what it has may be a secret.
---@param reply table of http.request
---@param system string who has answered
---@param said any what it has said, where that was found in its answer; what is neither a text nor a number: the first line of that
---@return string
function external.reason(reply, system, said)
  local text = (type(said) == "string" or type(said) == "number") and tostring(said) or reply.status >= 300 and reply.body or "what makes no sense"
  text = match(text, "[^%s%c][^%c]*")
  return system .. " answered " .. reply.status .. ": " .. (text and lib.string.sub(text, 1, 200) or "without a word")
end

local passing = { [408] = true, [409] = true, [429] = true } -- refusals that need not last

---Not now: asked again, and not before a Retry-After in the answer has passed, up to an hour.
---@param reply table of http.request
---@param why string
---@return ServiceResponse
function external.later(reply, why)
  local seconds = tonumber(match(reply.headers["retry-after"] or "", "^%d+$"))
  return ServiceResponse.retry(why, { after = seconds and min(seconds, 3600) })
end

---What a hook answers that did not get what it has asked for: a refusal halts it, anything else (408, 409, 429, 5xx, what makes no sense) is asked again later.
---@param reply table of http.request
---@param why string
---@return ServiceResponse
function external.unread(reply, why)
  if reply.isRefusal and not passing[reply.status] then return ServiceResponse.error(why) end
  return external.later(reply, why)
end

-- What a system says of an instant, as ms.
local function instant(value)
  if type(value) == "string" then return time.parse(value) or nil end
  return type(value) == "number" and value or nil
end

---Writes down when a backup began and ended outside, as ms or ISO 8601; anything else counts as not said. Their clock need not be ours: a start before the request or one to come is not of our clock. Then
---the result's own start stays, and the end is as much later as theirs is. An end to come, or before the start, is not written.
---@param backupResult BackupResult
---@param startDate any
---@param endDate any
function external.dates(backupResult, startDate, endDate)
  startDate, endDate = instant(startDate), instant(endDate)
  local now, sent = time.now(), backupResult.sentDate
  local ours = backupResult.startDate or sent
  local isOff = startDate and (startDate > now or sent and startDate < sent)
  local shift = isOff and ours and ours - startDate or 0
  if startDate and not (isOff and not ours) then backupResult.startDate = startDate + shift end
  endDate = endDate and endDate + shift
  if endDate and endDate <= now and endDate >= (backupResult.startDate or endDate) then backupResult.endDate = endDate end
end

---For a word of theirs whose meaning is not known: the status stays, and a warning is recorded, once for each word in a row.
---@param backupResult BackupResult
---@param system string whose word it is
---@param word any
function external.unknownStatus(backupResult, system, word)
  if backupResult:getConfigProperty("external.unknownStatus") == tostring(word) then return end
  backupResult:setConfigProperty("external.unknownStatus", tostring(word))
  backupResult.status = system .. ": " .. tostring(word) -- which is no status, whatever the word
end

---The answer of `executeBackup` to what came back for the request that starts a backup. A certain no halts, and is kept in mind; an answer without
---an id raises, so that recoverBackupResult looks for what may have begun; an id is the externalId, and saved at once.
---@param backupResult BackupResult
---@param reply table of http.request
---@param id any what the answer has for an id
---@param why string what the system says, in one line
---@return boolean
---@return string? msg
function external.started(backupResult, reply, id, why)
  if reply.isRefusal then
    backupResult:setConfigProperty("external.isRefused", true)
    return false, why
  end
  if reply.status >= 300 or type(id) ~= "string" or id == "" then error(why, 0) end
  backupResult.externalId = id
  backupResult:save()
  return true
end

---May there be something of a result outside? Not where its start never left, or was refused.
---@param backupResult BackupResult
---@return boolean
function external.mayExist(backupResult)
  return backupResult.sentDate ~= nil and not backupResult:getConfigProperty("external.isRefused")
end

local KNOWN = 500

---Keeps in mind, with the result, what is there before a start to which no name can be given: external.isNew then tells what is not of it.
---@param backupResult BackupResult
---@param ids string[]? of all there is; of nil, and of more than 500, nothing is kept
function external.know(backupResult, ids)
  backupResult:setConfigProperty("external.known", ids and #ids <= KNOWN and json.array(ids) or nil)
end

---A function that tells of an id whether it may be what a result has made: external.know did not have it, and no other of the Backup's newest hundred results
---has it as its externalId or snapshotId. And whether external.know had anything to tell by.
---@param backupResult BackupResult
---@return fun(id: string): boolean
---@return boolean isKnown
function external.isNew(backupResult)
  local taken, known = {}, backupResult:getConfigProperty("external.known")
  for _, id in ipairs(known or {}) do taken[id] = true end
  for _, other in ipairs(backupResult.backup:results { limit = 100 }) do
    if other.uuid ~= backupResult.uuid then taken[other.externalId or ""], taken[other.snapshotId or ""] = true, true end
  end
  return function(id) return not taken[id] end, known ~= nil
end

local lookUps = { 5, 5, 10, 20, 60, 300, 900, 1800, 3600 }

---The answer of `recoverBackupResult` that cannot tell yet: asked again, soon at first, and in the end every hour.
---@param msg string what is in the way
---@param opts table the hook's
---@return ServiceResponse
function external.lookAgain(msg, opts)
  return ServiceResponse.retry(msg, { after = lookUps[opts.attempt] or 3600 })
end

---The answer of `deleteBackupResult` to what came back for a DELETE: done, gone already, asked again later (408, 409, 429, 5xx), or kept, which halts.
---@param reply table of http.request
---@param system string
---@param what string "the snapshot 4711"
---@param why string what the system says, in one line
---@return boolean|ServiceResponse
---@return string? msg
function external.deletion(reply, system, what, why)
  if reply.status == 404 then return true, what .. " was gone already" end
  if reply.status < 300 then return true, what .. " is deleted" end
  if reply.status >= 500 or passing[reply.status] then return external.later(reply, why) end
  return false, system .. " keeps " .. what .. ": " .. why
end

return external
