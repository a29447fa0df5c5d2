-- What hooks answer with, and the words of a result's status.
local raw = ...
local error, type, setmetatable, rawset, pairs = error, type, setmetatable, rawset, pairs
local nearest = raw.nearest

local function suggestion(word, names)
  local near = type(word) == "string" and nearest(word, names)
  return near and " (did you mean '" .. near .. "'?)" or ""
end

local ServiceResponse = {}
local responseKeys = { "success", "msg", "errors", "data", "inProgress", "retry", "after", "gone" }
local responseMeta = {
  __index = ServiceResponse,
  __newindex = function(response, key, value)
    for _, name in pairs(responseKeys) do
      if name == key then return rawset(response, key, value) end
    end
    error("ServiceResponse has no field '" .. raw.text(key) .. "'" .. suggestion(key, responseKeys), 2)
  end,
}

local function noColon(first, name)
  if first == ServiceResponse then error("call it with a dot: ServiceResponse." .. name .. "(...)", 3) end
end

---It worked.
---@param data? any what the hook is asked for, if anything
---@param msg? string
---@return ServiceResponse
function ServiceResponse.success(data, msg)
  noColon(data, "success")
  return setmetatable({ success = true, data = data, msg = msg }, responseMeta)
end

---It did not, and this must not go on.
---@param msg? string
---@param errors? table<string, string> what is wrong with which field
---@return ServiceResponse
function ServiceResponse.error(msg, errors)
  noColon(msg, "error")
  return setmetatable({ success = false, msg = msg, errors = errors }, responseMeta)
end

---Not now: ask again later.
---@param msg? string
---@param opts? { after: number } seconds
---@return ServiceResponse
function ServiceResponse.retry(msg, opts)
  noColon(msg, "retry")
  if opts ~= nil and type(opts) ~= "table" then error("ServiceResponse.retry: { after = seconds } is needed, not a " .. type(opts), 2) end
  for key in pairs(opts or {}) do
    if key ~= "after" then error("ServiceResponse.retry: unknown option '" .. raw.text(key) .. "'" .. suggestion(key, { "after" }), 2) end
  end
  return setmetatable({ success = false, retry = true, msg = msg, after = opts and opts.after }, responseMeta)
end

---Out of refreshBackupResult: the external job is not there any more, and nobody knows how it ended. Said twice, visibilityDelay
---apart, somebody has to look (attention lost_external), and at the deadline it is asked once more and FAILED; said once, it may only have been a glimpse.
---@param msg? string
---@return ServiceResponse
function ServiceResponse.gone(msg)
  noColon(msg, "gone")
  return setmetatable({ success = false, retry = true, gone = true, msg = msg }, responseMeta)
end

local function filled(meta, fields)
  local made = setmetatable({}, meta)
  for key, value in pairs(fields or {}) do made[key] = value end
  return made
end

setmetatable(ServiceResponse, {
  __call = function(_, fields) return filled(responseMeta, fields) end,
  __index = function(_, key)
    for _, name in pairs(responseKeys) do
      if name == key then return nil end
    end
    error("ServiceResponse has no '" .. raw.text(key) .. "'" .. suggestion(key, { "success", "error", "retry", "gone" }), 2)
  end,
})

local executionKeys = { "backupResult", "updates" }
local executionMeta = {
  __newindex = function(response, key, value)
    if key ~= "backupResult" and key ~= "updates" then
      error("BackupExecutionResponse has no field '" .. raw.text(key) .. "'" .. suggestion(key, executionKeys), 2)
    end
    rawset(response, key, value)
  end,
}

---The answer of executeBackup and refreshBackupResult: `BackupExecutionResponse { backupResult = backupResult }`.
local BackupExecutionResponse = setmetatable({}, {
  __call = function(_, fields, updates)
    if type(fields) == "userdata" then fields = { backupResult = fields, updates = updates } end
    return filled(executionMeta, fields)
  end,
})

function BackupExecutionResponse.new(fields, updates) return BackupExecutionResponse(fields, updates) end

local words = raw.statuses
local constants = { CANCELED = "CANCELLED" }
for _, word in pairs(words) do constants[word] = word end

---The eight words a result's status can have.
local BackupStatusUtility = setmetatable({}, {
  __index = function(_, key)
    if constants[key] then return constants[key] end
    error("BackupStatusUtility has no status '" .. raw.text(key) .. "'" .. suggestion(key, words), 2)
  end,
  __newindex = function() error("BackupStatusUtility cannot be changed", 2) end,
  __metatable = "BackupStatusUtility",
})

return { ServiceResponse = ServiceResponse, BackupExecutionResponse = BackupExecutionResponse, BackupStatusUtility = BackupStatusUtility }
