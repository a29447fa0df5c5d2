-- archive against a tar that exists only here, on folders that are there. The real tar is tried in tests/providers.
local test = require "orrery.test"
local mock, run, clock, everyCrash = test.mock, test.run, test.clock, test.everyCrash
local fault = mock.fault

local root = os.tmpname()

describe("archive", function()
  local tar, cp

  local function shell(command) return os.execute(command .. " >/dev/null 2>&1") end

  local function size(path)
    local file = io.open(path)
    local bytes = file and file:seek("end")
    if file then file:close() end
    return bytes
  end

  local function write(path, text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
  end

  -- What the words of a command say of an option.
  local function option(command, name)
    for _, word in ipairs(command.argv) do
      local value = word:match("^%-%-" .. name .. "=(.*)")
      if value then return value end
    end
  end

  -- A folder to back up, and a tar that writes 7 bytes at once and ends as `reply` says.
  local function outside(reply)
    shell("rm -rf " .. root .. " && mkdir -p " .. root .. "/source")
    tar, cp = mock.process "tar", mock.process "cp"
    mock.process "zstd":on("--version", 0)
    tar:on("--version", 0)
    tar:on("--create ...", function(command)
      write(option(command, "file"), "archive")
      return reply
    end)
    tar:on("--extract ...", 0)
    cp:on("-- * *", function(command)
      write(command.argv[4], "archive")
      return 0
    end)
  end

  local setup = { options = { path = root .. "/source", target = root .. "/made/archives" }, delete = false }

  after_each(function() shell("rm -rf " .. root) end)

  it("makes a file of its own name, in a folder that it makes, and removes it", function()
    outside({ lasts = 20 })
    local result = run.backup(setup)
    assert.result(result).succeeded()
    assert.equal(root .. "/made/archives/b-20260101-000000-" .. result.uuid:sub(1, 8) .. ".tar.zst", result.resultPath)
    assert.equal(root .. "/source", option(tar:last("--create ..."), "directory"))
    assert.equal(7, result.sizeInBytes)
    assert.is_true(result:delete())
    assert.is_nil(size(result.resultPath))
  end)

  it("succeeds with a warning where tar has something to say", function()
    outside({ lasts = 5, code = 1, stderr = "tar: ./one: file changed as we read it\n" })
    local result = run.backup(setup)
    assert.result(result).succeededWithWarning()
    assert.equal("tar: ./one: file changed as we read it", result.statusMessage)
    assert.equal(7, size(result.resultPath))
  end)

  for what, reply in pairs {
    ["what tar says"] = { lasts = 5, code = 2, stderr = "tar: no space left on device\nzstd: more\n" },
    ["what tar said before a signal ended it"] = { lasts = 5, code = -1, signal = 13, stderr = "tar: no space left on device\n" },
  } do
    it("fails with " .. what .. ", and keeps no half of an archive", function()
      outside(reply)
      local result = run.backup(setup)
      assert.result(result).failed("tar: no space left on device")
      assert.equal("tar: no space left on device", result.statusMessage)
      assert.is_nil(size(result.resultPath))
    end)
  end

  it("cancels, and keeps no half of an archive", function()
    outside({ lasts = 600 })
    local result = run.create(setup):run()
    clock:advance(10)
    assert.equal(7, result:show().sizeInBytes)
    assert.is_true(result:cancel())
    assert.result(result:wait()).cancelled()
    assert.is_nil(size(result.resultPath))
  end)

  it("fails before it begins where a tool is missing", function()
    outside({ lasts = 5 })
    tar:fault("--version", fault.missing())
    assert.result(run.backup(setup)).failed("tar is not installed (Debian package tar)")
    assert.equal(0, tar:count "--create ...")
  end)

  it("refuses paths that are none, or that lead into each other", function()
    outside({ lasts = 5 })
    local function fields(options)
      local _, err = run.create { name = "other", options = options }
      return err.fields
    end
    assert.matches("is required", fields({}).path)
    assert.equal("must be an absolute path, not 'here'", fields({ path = root .. "/source", target = "here" }).target)
    assert.equal("there is no folder " .. root .. "/nothing", fields({ path = root .. "/nothing", target = "/t" }).path)
    assert.equal("lies within the path that is backed up", fields({ path = root .. "/source", target = root .. "/source/sub" }).target)
    assert(run.create { name = "beside", options = { path = root .. "/source", target = root .. "/source-archives" } })
  end)

  it("unpacks into a folder, and copies to a file", function()
    outside({ lasts = 5 })
    local result = run.create(setup):run():wait()
    assert.equal(root .. "/new/", result:extract(root .. "/new/").path)
    assert.equal(root .. "/new/", option(tar:last("--extract ..."), "directory"))
    local copy = result:extract(root .. "/copy.tar.zst")
    assert.same({ 7, 64 }, { copy.sizeInBytes, #copy.sha256 })
    tar:fault("--extract ...", { code = 2, stderr = "tar: it is damaged\n" })
    local _, err = result:extract(root .. "/new/")
    assert.matches("it is damaged", err.message)
  end)

  it("makes one archive, wherever the runtime dies", function()
    everyCrash(function()
      outside({ lasts = 4 })
      assert.result(run.backup { options = setup.options }).succeeded().deleted()
      assert.equal(0, shell("rmdir " .. root .. "/made/archives")) -- which is empty
    end)
  end)
end)
