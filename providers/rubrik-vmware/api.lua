-- The API of a Rubrik CDM: requests, the shared login, lists, and what errors say. Knows nothing of results.
local api = {}

local function base(connection)
  local address = connection.serviceUrl:gsub("/+$", ""):gsub("/api$", "")
  return address:find("/api/v%d+$") and address or address .. "/api/v1"
end

-- What an error of Rubrik's means, in one line. Its message may be JSON text, { message, cause: { reason } }.
function api.explain(text)
  local inner = type(text) == "string" and json.decode(text)
  if type(inner) ~= "table" then return text and tostring(text) end
  local cause = type(inner.cause) == "table" and inner.cause.reason
  if inner.message and cause then return tostring(inner.message) .. ": " .. tostring(cause) end
  return tostring(inner.message or cause or text)
end

-- Why it was not done, in one line.
function api.reason(reply)
  local text = api.explain(reply:content().message) or reply.body:sub(1, 200):match("[^\r\n]+") or "without a word"
  return "Rubrik answered " .. reply.status .. ": " .. text
end

local LOGIN_REFUSED = "the login was refused: "

-- Is that error the login's, and not the request's?
function api.isLogin(err) return tostring(err.message):sub(1, #LOGIN_REFUSED) == LOGIN_REFUSED end

-- One login for all hooks of a connection, opened again when Rubrik takes it no longer.
local login = session {
  name = "login",
  open = function(connection)
    local reply = http.post(url.path(base(connection), "session"), { auth = { username = connection.username or "", password = connection.password or "" } })
    local said = reply:content()
    if reply.status >= 300 or not said.token then
      local mayPass = reply.status >= 500 or reply.status == 429
      error({ code = mayPass and "unreachable" or "denied", message = LOGIN_REFUSED .. api.reason(reply), retryable = mayPass }, 0)
    end
    return { token = said.token, id = said.sessionId or said.id }
  end,
  close = function(value, connection)
    if not value.id then return end
    local address, own = url.path(base(connection), "session", value.id), { username = connection.username or "", password = connection.password or "" }
    if http.delete(address, { bearer = value.token }).status == 401 then http.delete(address, { auth = own }) end -- it may be there still
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

-- The rows of a list, all pages of it; or nil and the answer that was none.
function api.list(connection, segments, query)
  local rows, failed = {}, nil
  for page in http.pages {
    query = query,
    get = function(asked)
      local reply = api.call(connection, "GET", segments, { query = asked })
      local said = reply:content()
      if reply.status == 200 and type(said.data) == "table" then return said end
      failed = reply
      return {}
    end,
    next = function(said)
      if not said.hasMore then return nil end
      local link = type(said.links) == "table" and type(said.links.next) == "table" and said.links.next.href
      if not link then error({ code = "limit", message = "Rubrik says that a list goes on, and not where", retryable = false }, 0) end
      return link
    end,
  } do
    for _, row in ipairs(page.data or {}) do rows[#rows + 1] = row end
  end
  if failed then return nil, failed end
  return rows
end

-- The id of a VM, given as that or as its managed object id in vCenter ("vm-123"). Or nil, why, and whether asking again may help: then Rubrik
-- has been asked to look at its vCenters again.
function api.findVm(connection, name)
  if name:find(":::", 1, true) then return name end
  local rows, failed = api.list(connection, { "vmware", "vm" }, { moid = name })
  if not rows then return nil, api.reason(failed), not failed.isRefusal end
  local found
  for _, row in ipairs(rows) do
    if row.moid == nil or row.moid == name then
      if found and found ~= row.id then return nil, "Rubrik knows several VMs " .. name .. ": give the id of one" end
      found = row.id
    end
  end
  if found then return found end
  for _, center in ipairs(api.list(connection, { "vmware", "vcenter" }) or {}) do
    api.call(connection, "POST", { "vmware", "vcenter", center.id, "refresh" }, { safe = true })
  end
  return nil, "Rubrik knows no VM " .. name .. "; it was asked to look at its vCenters again", true
end

-- The id of an SLA domain, given as that or as its name; or nil and why.
function api.findSla(connection, name)
  local rows, failed = api.list(connection, { "sla_domain" })
  if not rows then return nil, api.reason(failed) end
  for _, row in ipairs(rows) do
    if row.id == name or row.name == name then return row.id end
  end
  return nil, "Rubrik has no SLA domain '" .. name .. "'"
end

return api
