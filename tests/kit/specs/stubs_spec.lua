-- What editors are told of orrery.test: it is Lua, and it has every function that there is or that docs/testing.md has, and no others.
local test = require "orrery.test"
local mock, run = test.mock, test.run

local function capture(command)
  local pipe = io.popen(command)
  local text = pipe:read("*a")
  pipe:close()
  return text
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

-- For a mock of the provider itself nothing is needed but that it ends well.
local source = [[
  local provider = Provider { apiVersion = 1, code = "p", name = "P", version = "1" }
  function provider.executeBackup(backup, backupResult) backupResult.status = "SUCCEEDED" end
  return provider
]]

describe("what editors are told of specs", function()
  local text, env, guide

  setup(function()
    local folder = capture("mktemp -d"):gsub("\n", "")
    os.execute(("%s provider new told --to %s >/dev/null 2>&1"):format(os.getenv "ORRERY" or "orrery", folder))
    text = read(folder .. "/told/.luacats/test.lua")
    os.execute("rm -rf '" .. folder .. "'")
    guide = read((debug.getinfo(1, "S").source:sub(2):gsub("tests/kit/specs/[^/]*$", "docs/testing.md")))
    env = { assert = {} }
    -- The classes are locals of the file: here they are to be seen.
    setfenv(assert(loadstring((text:gsub("\nlocal (%u%w+) = ", "\n%1 = ")))), env)()
  end)

  -- All functions of a class, told; and those that are there but for what is internal.
  local function compare(class, there, internal)
    for name, value in pairs(env[class]) do
      if type(value) == "function" then assert.equal("function", type(there[name]), class .. "." .. name .. " is told and not there") end
    end
    for name, value in pairs(there) do
      if type(value) == "function" and not internal[name] and name:sub(1, 2) ~= "__" then
        assert.equal("function", type(env[class][name]), class .. "." .. name .. " is there and not told")
      end
    end
  end

  it("is Lua, and a module", function()
    assert.matches("^%-%-%-@meta orrery%.test\n", text)
    local chunk = assert(loadstring(text))
    assert.equal("function", type(setfenv(chunk, { assert = {} })().everyCrash))
  end)

  it("has the functions of the kit", function()
    compare("TestKit", test, {})
    compare("TestClock", test.clock, {})
    compare("TestMocks", mock, { object = true })
    compare("TestFaults", mock.fault, { is = true, recorded = true })
    compare("TestRun", run, { all = true })
  end)

  it("has the methods of what the kit makes", function()
    assert(test.provider("p", source))
    local api = mock.http "https://told.test"
    compare("HttpMock", getmetatable(api), {})
    compare("MockRoute", getmetatable(api:on("GET /", 200)), { process = true, meet = true })
    compare("ProcessMock", getmetatable(mock.process "told"), {})
    compare("MockJobs", getmetatable(mock.jobs()), {})
    local backup = run.create { provider = "p" }
    compare("TestBackup", getmetatable(backup), {})
    local result = backup:run()
    for name, value in pairs(env.TestResult) do if type(value) == "function" then assert.equal("function", type(result[name]), name) end end
    for name in text:match("@class ResultAssertions\n(.-)\n\n"):gmatch("@field (%w+)") do assert.equal("function", type(assert.result(result)[name]), name) end
  end)

  it("has what the guide has", function()
    local function told(class, section, pattern)
      local count = 0
      for name in guide:match("\n## " .. section .. "\n(.-)\n## "):gmatch(pattern) do
        count = count + 1
        assert.equal("function", type(env[class][name]), class .. "." .. name .. " is in the guide and not told")
      end
      assert.is_true(count > 0, section)
    end
    told("TestResult", "run", "result:(%w+)")
    told("TestBackup", "run", "backup:(%w+)")
    told("TestRun", "run", "run%.(%w+)")
    told("TestClock", "clock", "clock:(%w+)")
    told("TestFaults", "Faults", "\n| `(%w+)%(")
    told("HttpMock", "mock%.http", "`m:(%w+)%(")
    told("MockRoute", "mock%.http", "`route:(%w+)")
    told("MockJobs", "mock%.jobs", "`jobs:(%w+)")
    told("ProcessMock", "mock%.process", "`p:(%w+)")
    local assertions = text:match("@class ResultAssertions\n(.-)\n\n")
    for name in guide:match("\n## Assertions\n\n(.-)\n"):gmatch("`%.(%w+)%(") do assert.is_truthy(assertions:find("@field " .. name .. " ", 1, true), name) end
    local keys = text:match("@class TestSetup\n(.-)\n\n")
    for row in guide:match("\n## run\n.-\n| %-%-%- | %-%-%- |\n(.-)\n\n"):gmatch("[^\n]+") do
      for name in row:match("^|(.-)|"):gmatch("`(%w+)`") do assert.is_truthy(keys:find("@field " .. name .. "?", 1, true), name) end
    end
  end)
end)
