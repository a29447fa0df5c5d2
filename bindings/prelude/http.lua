-- http: requests, their answers, and the logins of session around them.
local raw, lib, core = ...

local error, ipairs, next, pairs, setmetatable, sort, tonumber = error, ipairs, next, pairs, setmetatable, table.sort, tonumber
local select, tostring, type = select, tostring, type
local await, checkNamed, raise = core.await, core.check, core.raise
local json, url, string, sleep = lib.json, lib.url, lib.string, lib.sleep
local max, min = lib.math.max, lib.math.min

local http = {}

local known = {
  method = "string", url = "string!", headers = "table", query = "table", json = "any", form = "table", body = "string", timeout = "number",
  patience = "number", safe = "boolean", auth = "table", bearer = "string", session = "table", caCert = "string", tlsFingerprint = "string", proxy = "string"
}

-- The same for http.get and its like, which have been told the method and the address.
local besides = {}
for key, kind in pairs(known) do besides[key] = kind end
besides.method, besides.url = "any", "any"

local none = {}

local function check(options, name, keys)
  checkNamed(options, name, keys)
  local bodies = (options.json ~= nil and 1 or 0) + (options.form and 1 or 0) + (options.body and 1 or 0)
  if bodies > 1 then raise(name .. ": only one of json, form and body") end
end

-- Reply headers are found in any case.
local anyCase = { __index = function(headers, name)
  if type(name) ~= "string" then return nil end
  local lower = string.lower(name)
  if lower ~= name then return headers[lower] end
end }

-- What answers have in common. What came may be anything, and still can be indexed.
local Reply = {}
Reply.__index = Reply

function Reply.content(reply, ...)
  local value = json.decode(reply.body)
  for i = 1, select("#", ...) do value = type(value) == "table" and value[select(i, ...)] or nil end
  return type(value) == "table" and value or {}
end

local function answer(reply)
  setmetatable(reply.headers, anyCase)
  local status = reply.status
  reply.isRefusal = status >= 400 and status < 500 and status ~= 408
  setmetatable(reply, Reply)
  ---The body as a value: resp:json() and resp.json() are the same. Options as for json.decode.
  function reply.json(first, second)
    local options = first
    if first == reply then options = second end
    return json.decode(reply.body, options)
  end
  return reply
end

local function sortedNames(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = tostring(name) end
  sort(names)
  return names
end

-- The flat list { name, value, ... } that the raw function takes, or nil. Later maps win over earlier ones, in any case.
local function flatten(...)
  local values, shown
  for i = 1, select("#", ...) do
    local map = select(i, ...)
    if next(map) ~= nil then
      values, shown = values or {}, shown or {}
      for _, name in ipairs(sortedNames(map)) do
        local lower = string.lower(name)
        values[lower], shown[lower] = map[name], name
      end
    end
  end
  if not values then return nil end -- an ordinary GET
  local flat = {}
  for _, lower in ipairs(sortedNames(values)) do
    local value = values[lower]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      flat[#flat + 1] = shown[lower]
      flat[#flat + 1] = tostring(one)
    end
  end
  return flat
end

local function withQuery(address, query)
  local text = query and url.query(query) or ""
  if text == "" then return address end
  local bare, fragment = string.match(address, "^([^#]*)(#?.*)$")
  local joint = "?"
  if string.find(bare, "?", 1, true) then joint = string.find(bare, "[?&]$") and "" or "&" end
  return bare .. joint .. text .. fragment
end

local function bodyOf(options, name)
  if options.json ~= nil then
    local text, err = json.encode(options.json)
    if not text then raise(name .. ": json: " .. err) end
    return text, "application/json"
  end
  if options.form then return url.query(options.form), "application/x-www-form-urlencoded" end
  return options.body, nil
end

local function credentials(options, name)
  local auth = options.auth
  if auth and type(auth.username) ~= "string" then raise(name .. ": 'auth' must be { username = ..., password = ... }") end
  return options.bearer and { Authorization = "Bearer " .. options.bearer } or none
end

-- One request and its answer. 429 says that it was not processed, and 10 s is what is waited where it does not say for how long.
local function exchange(method, address, headers, body, options)
  local left, auth = options.patience or 0, options.auth or none
  while true do
    local reply = await(raw.request(method, address, headers, body, options.timeout, options.safe, options.caCert, options.tlsFingerprint,
      options.proxy, auth.username, auth.password))
    if reply.status ~= 429 or left <= 0 then return reply end
    local pause = max(0.1, min(tonumber(reply.headers["retry-after"]) or 10, left))
    left = left - pause
    sleep(pause)
  end
end

local function send(name, method, address, options)
  address = withQuery(address, options.query)
  local body, contentType = bodyOf(options, name)
  local defaults = contentType and { ["Content-Type"] = contentType, Accept = options.json ~= nil and "application/json" or nil } or none
  local own, session, given = credentials(options, name), options.session, options.headers or none
  if not session then return answer(exchange(method, address, flatten(defaults, own, given), body, options)) end
  local carried, generation = session:_headers()
  local reply = exchange(method, address, flatten(defaults, own, carried, given), body, options)
  if reply.status == 401 then -- it was not processed; the login is no longer good
    carried = session:_headers(generation)
    reply = exchange(method, address, flatten(defaults, own, carried, given), body, options)
  end
  return answer(reply)
end

---@class HttpOptions
---@field method? string "GET" if not given
---@field url string absolute, http or https; its origin must be granted by `needs.http`
---@field headers? table<string, string|number|string[]>
---@field query? table<string, string|number|boolean|table> appended to the URL, encoded
---@field json? any the body as JSON (json.null for null)
---@field form? table the body as application/x-www-form-urlencoded
---@field body? string the body as it is
---@field timeout? number seconds for the whole exchange, retries included; 30 if not given, at most what is left of the hook
---@field patience? number seconds, besides the timeout, for which a 429 is waited for and asked again, as long as it says or 10 s; 0 if not given
---@field safe? boolean it changes nothing outside: no sent mark, and it may be tried again automatically
---@field auth? { username: string, password: string } HTTP Basic
---@field bearer? string "Authorization: Bearer ..."
---@field session? table a session{ ... }: its headers are added; on 401 it is renewed and the request sent once more
---@field caCert? string PEM certificates to trust
---@field tlsFingerprint? string SHA-256 of the one certificate to accept, in hexadecimal
---@field proxy? string proxy URL
---Requests to the connection's own origin (of its serviceUrl, and its host and port) use its caCert, tlsFingerprint and proxy unless given here.

---@class HttpResponse
---@field status integer
---@field headers table<string, string> found in any case; repeated ones are joined
---@field body string
---@field json fun(options?): any, string? the body as a value, or nil and what is wrong with it
---@field content fun(self, ...: string): table the JSON of the body, or what it has under a key, and a key in that, ...; an empty table where that is none, whatever came
---@field isRefusal boolean a certain no, 400 to 499 but 408: nothing was done. Of 5xx, of an answer that makes no sense and of none nobody knows

---Sends a request and answers for every HTTP status. POST, PUT, PATCH, DELETE count as mutating acts unless `safe`.
---Raises { code = "unreachable" | "timeout" | "tls" | "limit" | "denied" | "invalid" | "deadline" | "cancelled", message, retryable, wasSent }
---when there is no answer; an error that is let through counts as retry if it is retryable.
---@param options HttpOptions
---@return HttpResponse
function http.request(options)
  check(options, "http.request", known)
  return (send("http.request", string.upper(options.method or "GET"), options.url, options))
end

for _, method in ipairs{ "get", "head", "post", "put", "patch", "delete" } do
  local name, verb = "http." .. method, string.upper(method)
  http[method] = function(address, options)
    if type(address) ~= "string" then raise(name .. ": url must be a string, not " .. type(address)) end
    if options == nil then return (answer(exchange(verb, address, nil, nil, none))) end
    if type(options) ~= "table" then raise(name .. ": options must be a table, not " .. type(options)) end
    check(options, name, besides)
    return (send(name, verb, address, options))
  end
end

---@type fun(url: string, options?: HttpOptions): HttpResponse
http.get = http.get
---@type fun(url: string, options?: HttpOptions): HttpResponse
http.head = http.head
---@type fun(url: string, options?: HttpOptions): HttpResponse
http.post = http.post
---@type fun(url: string, options?: HttpOptions): HttpResponse
http.put = http.put
---@type fun(url: string, options?: HttpOptions): HttpResponse
http.patch = http.patch
---@type fun(url: string, options?: HttpOptions): HttpResponse
http.delete = http.delete

local PAGES_MAX = 1000

---Walks a list that comes in pages, to its end: `for page in http.pages{ ... } do`. Of the address of the next page only the query is used, so that every
---request goes where the first went. Raises { code = "limit", message } where a page leads to one that was seen already, and after 1,000 pages.
---@param options { get: (fun(query: table): table), next: (fun(page: table): string?), query: table? }
---  get: asks for a page with that query and answers what is in it. next: the address of the page after it, nil or "": it is the last. query: of the first page
---@return fun(): table?
function http.pages(options)
  checkNamed(options, "http.pages", { get = "function!", next = "function!", query = "table" })
  local query, seen, count = options.query or {}, {}, 0
  return function()
    if not query then return nil end
    local text = url.query(query)
    count = count + 1
    if seen[text] or count > PAGES_MAX then
      error({ code = "limit", message = "the list does not end: page " .. count .. (seen[text] and " is one that was seen" or ""), retryable = false }, 0)
    end
    seen[text] = true
    local page = options.get(query)
    local link = options.next(page)
    query = link and link ~= "" and url.query(string.match(link, "%?([^#]*)") or "")
    return page
  end
end

return http
