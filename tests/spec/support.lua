-- What the contract specs say to a runtime: the kit's, with providers made of a few lines of text.
--
-- A provider under test tells what it saw through `spy(name, value)`, which is defined in every provider made here: it becomes a log
-- line that rt:spied(name) gives back as values, in order. Nothing else crosses between a spec and a provider.
--
-- What is opened or made here is closed and removed by support.clean(), which every spec file calls after each test.
local raw = require "orrery.raw"
local json = require "dkjson"
local kit = require "orrery.runtime"

local Runtime = kit.Runtime
local support = { json = json, raw = raw, map = kit.map }

local opened, folders = {}, {}

--- A fresh folder that is removed by clean().
function support.folder()
  local pipe = io.popen("mktemp -d")
  local path = pipe:read("*l")
  pipe:close()
  table.insert(folders, path)
  return path
end

function support.clean()
  for _, rt in ipairs(opened) do rt:close() end
  for _, path in ipairs(folders) do os.execute("chmod -R u+w '" .. path .. "' && rm -rf '" .. path .. "'") end
  opened, folders = {}, {}
  collectgarbage()
  collectgarbage()
  if raw.count() > 0 then error(raw.count() .. " runtimes were opened and not closed", 0) end
end

--- Opens a runtime: virtual clock, store in memory, no shipped providers, unless said otherwise in `settings`.
function support.open(settings)
  local all = { runner_path = ORRERY_RUNNER }
  for key, value in pairs(settings or {}) do all[key] = value end
  local rt, err = kit.open(all)
  if rt then table.insert(opened, rt) end
  return rt, err
end

--- One that keeps what it knows: a database in a folder of its own, which reopen() opens again. It can run local jobs, too.
function support.openLasting(settings)
  local all = { store = "sqlite", data_dir = support.folder() }
  for key, value in pairs(settings or {}) do all[key] = value end
  return assert(support.open(all))
end

--- Adds a provider: `body` is its hooks, `declaration` what goes into Provider{ } besides the obvious.
function Runtime:provider(code, body, declaration)
  local source = table.concat({
    "local function spy(name, value) log.info('spy:' .. name .. ':' .. assert(json.encode({ value }))) end",
    ("local provider = Provider { apiVersion = 1, code = %q, name = %q, version = '1.0.0', %s }"):format(code, code, declaration or ""),
    body, "return provider" }, "\n")
  assert(self:source(code, source))
end

--- All values spied under a name, in order; false where the provider spied nil.
function Runtime:spied(name)
  self:pump()
  local values, prefix = {}, "spy:" .. name .. ":"
  for _, line in ipairs(self.logs) do
    if line.message:sub(1, #prefix) == prefix then
      local value = (json.decode(line.message:sub(#prefix + 1), 1, nil) or {})[1]
      if value == nil then value = false end
      table.insert(values, value)
    end
  end
  return values
end

--- A provider that starts something and never hears of its end, with `hooks` instead of or besides.
support.starts = "function provider.executeBackup(backup, backupResult) backupResult.externalId = 'job-1' return true end\n"

--- A local HTTP server; see host.c for its paths. Its url, and count(path): how often that was asked for.
function support.server()
  local server, port = raw.server()
  return { url = "http://127.0.0.1:" .. port, count = function(path) return raw.serverCount(server, path) end, handle = server }
end

return support
