-- external: what providers of systems with a clock, words and waits of their own have in common.
local _, lib = ...

local tostring = tostring -- ServiceResponse is made after the libraries, and looked up when it is needed
local time = lib.time

local external = {}

---Writes down when a backup began and ended outside. Their clock need not be ours: a start before the request or one to come is not of our clock. Then
---the result's own start stays, and the end is as much later as theirs is. An end to come, or before the start, is not written.
---@param backupResult BackupResult
---@param startDate number? ms
---@param endDate number? ms
function external.dates(backupResult, startDate, endDate)
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

local lookUps = { 5, 5, 10, 20, 60, 300, 900, 1800, 3600 }

---The answer of `recoverBackupResult` that cannot tell yet: asked again, soon at first, and in the end every hour.
---@param msg string what is in the way
---@param opts table the hook's
---@return ServiceResponse
function external.lookAgain(msg, opts)
  return ServiceResponse.retry(msg, { after = lookUps[opts.attempt] or 3600 })
end

---The answer of `deleteBackupResult` to what came back for a DELETE: done, gone already, asked again later (409, 429, 5xx), or kept, which halts.
---@param reply table of http.request
---@param system string
---@param what string "the snapshot 4711"
---@param why string what the system says, in one line
---@return boolean|ServiceResponse
---@return string? msg
function external.deletion(reply, system, what, why)
  if reply.status == 404 then return true, what .. " was gone already" end
  if reply.status < 300 then return true, what .. " is deleted" end
  if reply.status == 409 or reply.status == 429 or reply.status >= 500 then return ServiceResponse.retry(why) end
  return false, system .. " keeps " .. what .. ": " .. why
end

return external
