-- What editors are told of providers: it is Lua, and it has every field, hook, key and library function that there is, no others.
local support = require "support"
local stubs = ORRERY_RUNNER:gsub("[^/]*$", "") .. "made/luacats/"

local function read(name)
  local file = assert(io.open(stubs .. name))
  local text = file:read("*a")
  file:close()
  return text
end

-- The globals that the stubs make, as a table.
local function loaded()
  local env = {}
  for _, name in ipairs{ "orrery.lua", "libraries.lua" } do setfenv(assert(loadfile(stubs .. name)), env)() end
  return env
end

-- The fields of a class, by name.
local function fieldsOf(text, class)
  local fields, isInside = {}, false
  for line in text:gmatch("[^\n]+") do
    local name = line:match("^%-%-%-@class %(exact%) (%w+)") or line:match("^%-%-%-@class ([%w]+)")
    if name then isInside = name == class end
    local field, rest = line:match("^%-%-%-@field (%w+)%??%s+(.*)")
    if isInside and field then fields[field] = rest end
  end
  return fields
end

describe("what editors are told", function()
  local rt
  before_each(function()
    rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup() end")
  end)
  after_each(support.clean)

  local function eval(line) return support.json.decode(rt:ask("provider.eval", { provider = "p", text = line }).data.values[1]) end

  it("is Lua", function()
    for _, name in ipairs{ "orrery.lua", "libraries.lua" } do assert.is_truthy(read(name):find("^%-%-%-@meta\n")) end
    loaded()
  end)

  it("has every field of every object, and its methods", function()
    local text = read("orrery.lua")
    local lists = { BackupResult = "backupResult", Backup = "backup", BackupProvider = "connection", Cloud = "cloud", ComputeServer = "computeServer" }
    rt:provider("q", [[
      function provider.executeBackup(backup, backupResult, executionConfig, cloud, computeServer)
        local objects = { backup = backup, backupResult = backupResult, connection = backup.connection, cloud = cloud, computeServer = computeServer }
        local object, found = objects[executionConfig.of], {}
        for _, name in ipairs(executionConfig.names) do found[name] = pcall(function() return object[name] end) end
        log.info("found:" .. json.encode(found))
      end]])
    for class, of in pairs(lists) do
      local fields, names = fieldsOf(text, class), {}
      for name in pairs(fields) do table.insert(names, name) end
      assert.is_true(#names > 8, class)
      rt.logs = {}
      local reply = rt:ask("provider.call", { provider = "q", hook = "executeBackup",
        objects = { connection = { name = "x" }, cloud = { name = "x" }, computeServer = { name = "x" }, executionConfig = { of = of, names = names } } })
      local found = support.json.decode(reply.log[1].message:match("^found:(.*)"))
      for _, name in ipairs(names) do assert.is_true(found[name], class .. "." .. name .. " is told and is not there") end
      local reference = io.open((debug.getinfo(1, "S").source:sub(2):gsub("tests/spec/[^/]*$", "docs/providers.md"))):read("*a")
      for field in reference:match("### " .. class .. "\n.-\n\n|(.-)\n\n"):gmatch("\n| `(%w+)`") do
        assert.is_truthy(fields[field], class .. "." .. field .. " is documented and not told")
      end
      for _, method in ipairs{ "getConfigProperty", "setConfigProperty", "getConfigMap", "setConfigMap", "copy", "save" } do assert.is_truthy(fields[method]) end
    end
    assert.is_truthy(fieldsOf(text, "Backup").results)
    assert.is_truthy(fieldsOf(text, "ComputeServer").run)
    assert.is_truthy(text:find("%-%-%-@class %(exact%) BackupResult"))
  end)

  it("has every hook with its arguments, and every key of the declaration", function()
    local text = read("orrery.lua")
    local hooks, keys = fieldsOf(text, "Provider"), fieldsOf(text, "ProviderDeclaration")
    local reference = io.open((debug.getinfo(1, "S").source:sub(2):gsub("tests/spec/[^/]*$", "docs/providers.md"))):read("*a")
    local count = 0
    for name, arguments in reference:match("<!%-%- begin hooks.-end hooks"):gmatch("\n| `(%w+)%((.-)%)`") do
      count = count + 1
      local told = {}
      for argument in hooks[name]:match("^fun(%b())"):gmatch("(%w+):") do table.insert(told, argument) end
      assert.equal(arguments, table.concat(told, ", "), name)
    end
    for name in pairs(hooks) do if name ~= "selfTest" then count = count - 1 end end
    assert.equal(0, count) -- as many are told as there are
    for key in reference:match("<!%-%- begin declaration.-end declaration"):gmatch("\n| `(%w+)`") do assert.is_truthy(keys[key], key) end
  end)

  it("has every function of every library, and no others", function()
    local told = loaded()
    local names = eval([[(function()
      local out = {}
      for name, value in pairs(_G) do
        if type(value) == "table" and name ~= "_G" then for key, one in pairs(value) do if type(one) == "function" then out[name .. "." .. key] = true end end
        elseif type(value) == "function" then out[name] = true end
      end
      return out
    end)()]])
    -- Those of Lua itself, which editors know; ours are the rest.
    local own = { string = true, table = true, math = true, coroutine = true, bit = true }
    for _, name in ipairs{ "assert", "error", "getmetatable", "ipairs", "loadstring", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select",
      "setmetatable", "tonumber", "type", "unpack", "xpcall" } do own[name] = true end
    local count = 0
    for name in pairs(names) do
      local library, key = name:match("^(%w+)%.(%w+)$")
      if not own[library or name] then
        count = count + 1
        local value = library and told[library] and told[library][key] or not library and told[name]
        assert.equal("function", type(value), name .. " is there and not told")
      end
    end
    assert.is_true(count > 60)
    for name, value in pairs(told) do
      if type(value) == "function" then assert.is_true(names[name], name .. " is told and not there") end
      if type(value) == "table" then
        for key, one in pairs(value) do
          if type(one) == "function" then assert.is_true(names[name .. "." .. key], name .. "." .. key .. " is told and not there") end
        end
      end
    end
  end)

  it("has the words of a status and of an error", function()
    local text = read("orrery.lua")
    for _, word in ipairs{ "START_REQUESTED", "SUCCEEDED_WARNING", "FAILED" } do
      assert.equal(word, loaded().BackupStatusUtility[word])
      assert.is_truthy(text:find('---|"' .. word .. '"', 1, true))
    end
    assert.is_truthy(text:find('---|"unreachable"', 1, true))
  end)
end)
