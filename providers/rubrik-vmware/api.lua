-- The API of a Rubrik CDM: requests, the shared login, lists, and what errors say. Knows nothing of results.
local api = {}

local function base(connection)
  local address = connection.serviceUrl:gsub("/+$", ""):gsub("/api$", "")
  return address:find("/api/v%d+$") and address or address .. "/api/v1"
end

-- What an error says, in one text: it is one, or { message, cause = { reason } }, which may be written as JSON text, too.
function api.explain(said)
  local parts = type(said) == "string" and json.decode(said) or said
  if type(parts) ~= "table" then return said and tostring(said) end
  local message, cause = api.explain(parts.message), type(parts.cause) == "table" and api.explain(parts.cause.reason)
  return message and cause and message .. ": " .. cause or message or cause or type(said) == "string" and said or nil
end

function api.reason(reply) return external.reason(reply, "Rubrik", api.explain(reply:content())) end

-- Raises where another answer may come another time: then the hook is asked again.
function api.unlessRefused(reply)
  if reply.isRefusal and reply.status ~= 429 then return end
  error({ code = "unreachable", message = api.reason(reply), retryable = true }, 0)
end

local function ownLogin(connection) return { username = connection.username or "", password = connection.password or "" } end

-- One login for all hooks of a connection, opened again when Rubrik takes it no longer.
local login = session {
  name = "login",
  open = function(connection)
    local reply = http.post(url.path(base(connection), "session"), { auth = ownLogin(connection) })
    local said = reply:content()
    if reply.status < 300 and said.token then return { token = said.token, id = said.sessionId or said.id } end
    api.unlessRefused(reply)
    error({ code = "denied", message = "the login was refused: " .. api.reason(reply), retryable = false }, 0)
  end,
  close = function(value, connection)
    if not value.id then return end
    local address = url.path(base(connection), "session", value.id)
    local reply = http.delete(address, { bearer = value.token })
    if reply.status == 401 then http.delete(address, { auth = ownLogin(connection) }) end -- it may be there still
  end,
  headers = function(value) return { Authorization = "Bearer " .. value.token } end,
}

-- Sends a request below /api/v1; `options` as http.request has them.
function api.call(connection, method, segments, options)
  options = options or {}
  options.method, options.url, options.headers = method, url.path(base(connection), unpack(segments)), { Accept = "application/json" }
  if connection.serviceToken then options.bearer = connection.serviceToken else options.session = login end
  return http.request(options)
end

-- The rows of a list, all pages of it, each id once; or nil and the answer that refuses it.
function api.list(connection, segments, query)
  local rows, seen, failed = {}, {}, nil
  for page in http.pages {
    query = query,
    get = function(asked)
      for name, value in pairs(query or {}) do asked[name] = asked[name] or value end -- a link to a page need not say what is asked for
      local reply = api.call(connection, "GET", segments, { query = asked })
      local said = reply:content()
      if reply.status == 200 and type(said.data) == "table" then return said end
      api.unlessRefused(reply)
      failed = reply
      return {}
    end,
    next = function(said)
      if not said.hasMore then return nil end
      local link = type(said.links) == "table" and type(said.links.next) == "table" and said.links.next.href
      return link or error({ code = "limit", message = "Rubrik says that a list goes on, and not where", retryable = false }, 0)
    end,
  } do
    for _, row in ipairs(page.data or {}) do
      if not seen[row.id] then rows[#rows + 1] = row end
      if row.id then seen[row.id] = true end -- a list may change while it is read
    end
  end
  if failed then return nil, failed end
  return rows
end

-- The id of the one row of a list that is meant; or nil, why, and whether there is none.
local function only(what, rows, isMeant)
  local found
  for _, row in ipairs(rows) do
    if isMeant(row) then
      if found then return nil, "Rubrik knows several " .. what .. ": give the id of one" end
      found = row.id
    end
  end
  if found then return found end
  return nil, "Rubrik knows no " .. what, true
end

-- The id of a VM, given as that or as its managed object id in vCenter ("vm-123"). One that is not known is waited for, so many seconds, when Rubrik
-- has been asked to look at its vCenters again. Or nil, why, and whether asking again may help.
function api.findVm(connection, name, patience)
  if name:find(":::", 1, true) then return name end
  local begun, isAsked = time.now(), false
  local function isMeant(row) return row.moid == name or row.moid == nil and tostring(row.id):sub(-#name - 1) == "-" .. name end
  while true do
    local rows, failed = api.list(connection, { "vmware", "vm" }, { moid = name })
    if not rows then return nil, api.reason(failed) end
    local id, why, isUnknown = only("VM " .. name, rows, isMeant)
    if not isUnknown or time.since(begun) > patience then return id, why, isUnknown end
    for _, center in ipairs(not isAsked and api.list(connection, { "vmware", "vcenter" }) or {}) do
      api.call(connection, "POST", { "vmware", "vcenter", center.id, "refresh" }, { safe = true })
    end
    isAsked = true
    sleep(3)
  end
end

-- The id of an SLA domain, given as that or as its name; or nil and why.
function api.findSla(connection, name)
  local rows, failed = api.list(connection, { "sla_domain" })
  if not rows then return nil, api.reason(failed) end
  return only("SLA domain '" .. name .. "'", rows, function(row) return row.id == name or row.name == name end)
end

local words = {
  QUEUED = "START_REQUESTED", ACQUIRING = "START_REQUESTED", RUNNING = "IN_PROGRESS", FINISHING = "IN_PROGRESS",
  ["CANCEL REQUESTED"] = "CANCEL_REQUESTED", CANCELED = "CANCELLED", SUCCEEDED = "SUCCEEDED", FAILED = "FAILED",
}

-- A request, as Rubrik tells of it, with our `status` for its `word`, nil where that is not known, and `isOver`; or nil and the answer that was none.
function api.readRequest(connection, id)
  local reply = api.call(connection, "GET", { "vmware", "vm", "request", id })
  local said = reply:content()
  if reply.status ~= 200 or type(said.status) ~= "string" then return nil, reply end
  said.word, said.status = said.status, words[said.status]
  said.isOver = said.status == "SUCCEEDED" or said.status == "FAILED" or said.status == "CANCELLED"
  return said
end

-- The snapshot that a request made: the last part of its link to that.
function api.snapshotOf(request)
  for _, link in ipairs(type(request.links) == "table" and request.links or {}) do
    local path = link.rel == "result" and type(link.href) == "string" and link.href:gsub("[?#].*", "")
    local last = path and path:match("([^/]+)/*$")
    if last then return url.decode(last) end
  end
end

return api
