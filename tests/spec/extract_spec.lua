-- extractBackup: the output, packaged for download or archive.
local support = require "support"

local ends = "function provider.executeBackup(b, r) r.externalId = 'snap-1' r.status = 'SUCCEEDED' end\n"

describe("an extraction", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function extract(more)
    local args = { result = "1", destination = "/tmp/out.tar" }
    for key, value in pairs(more or {}) do args[key] = value end
    return rt:request("result.extract", args)
  end

  it("calls extractBackup with opts.destination and gives path, sizeInBytes and sha256 to the caller", function()
    rt:provider("p", ends .. [[
      function provider.extractBackup(r, opts)
        spy("asked", { r.externalId, opts.destination })
        return ServiceResponse.success({ path = opts.destination, sizeInBytes = 12, sha256 = string.rep("a", 64) }, "packed")
      end]])
    rt:run("p")
    local reply = assert(extract())
    assert.same({ { "snap-1", "/tmp/out.tar" } }, rt:spied("asked"))
    assert.same({ path = "/tmp/out.tar", sizeInBytes = 12, sha256 = ("a"):rep(64), msg = "packed" }, reply)
  end)

  for what, code in pairs{ ["false"] = "return false, 'tape is offline'", ["ServiceResponse.error"] = "return ServiceResponse.error('tape is offline')",
                           ["a raised error"] = "error('tape is offline')", ["retry"] = "return ServiceResponse.retry('tape is offline')" } do
    it("that fails by " .. what .. " gives the caller the error, and the result stays as it is", function()
      rt:provider("p", ends .. "function provider.extractBackup() spy('n', 1) " .. code .. " end")
      rt:run("p")
      local _, err = extract()
      assert.matches("tape is offline", err.message)
      assert.same({ 1 }, rt:spied("n"))
      assert.equal("SUCCEEDED", rt:result(1).status)
    end)
  end

  it("that takes too long gives the caller the error", function()
    rt:provider("p", ends .. "function provider.extractBackup() sleep(100) end", "timeouts = { extractBackup = 5 }")
    rt:run("p")
    local _, err = rt:requestOverTime("result.extract", { result = "1", destination = "/x" })
    assert.equal("deadline", err.code)
  end)

  it("must be answered with data", function()
    for i, answer in ipairs{ "", "return true", "return ServiceResponse.success()", "return ServiceResponse.success('/x')" } do
      rt:provider("p" .. i, ends .. "function provider.extractBackup() " .. answer .. " end")
      rt:create("p" .. i, { name = "b" .. i })
      rt:ask("backup.run", { backup = "b" .. i })
      rt:settle()
      local err = rt:refused("result.extract", { result = tostring(i), destination = "/x" })
      assert.equal("provider", err.code)
      assert.matches("extractBackup", err.message)
    end
  end)

  it("is refused where the provider cannot extract", function()
    rt:provider("p", ends)
    rt:run("p")
    local _, err = extract()
    assert.same({ "refused", 5 }, { err.code, err.exit })
  end)

  it("is refused for a result that has not succeeded", function()
    rt:provider("p", support.starts .. "function provider.extractBackup() return ServiceResponse.success{ path = '/x' } end")
    rt:run("p")
    local _, err = extract()
    assert.equal("refused", err.code)
    assert.matches("IN_PROGRESS", err.message)
  end)

  it("works for a result with warnings", function()
    rt:provider("p", "function provider.executeBackup(b, r) r.status = 'SUCCEEDED_WARNING' end function provider.extractBackup() return ServiceResponse.success{ path = '/x' } end")
    rt:run("p")
    assert.equal("/x", assert(extract()).path)
  end)

  it("has what it wrote to the result kept, whatever it answered", function()
    rt:provider("p", ends .. "function provider.extractBackup(r) r.resultArchive = 'out.tar' return false, 'no' end")
    rt:run("p")
    extract()
    assert.equal("out.tar", rt:result(1).resultArchive)
  end)

  it("has what it wrote to the Backup kept if it succeeds", function()
    rt:provider("p", ends .. "function provider.extractBackup(r) r.backup:setConfigProperty('extracted', 1) return ServiceResponse.success{ path = '/x' } end")
    rt:run("p")
    assert(extract())
    assert.same({ extracted = 1 }, rt:ask("backup.show", { backup = "b" }).config)
  end)

  it("gives the caller's opts", function()
    rt:provider("p", ends .. "function provider.extractBackup(r, opts) spy('format', { opts.format, opts.requestedBy }) return ServiceResponse.success{ path = '/x' } end")
    rt:run("p")
    assert(extract{ opts = { format = "zip" }, requestedBy = "ann" })
    assert.same({ { "zip", "ann" } }, rt:spied("format"))
  end)
end)
