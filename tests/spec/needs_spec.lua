-- needs: what a provider may reach. Absent grants nothing.
local support = require "support"

describe("needs", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  -- true, or the code of the error that the code in executeBackup raised.
  local function try(code, needs, more, declaration)
    rt:provider("p", "function provider.executeBackup(b, r, config, cloud, server, opts) local ok, err = pcall(function() " .. code
      .. " end) spy('x', ok or type(err) == 'table' and err.code or err) end", (declaration or "") .. " needs = { " .. needs .. " }")
    rt:create("p", more)
    rt:run("p")
    rt:advance(30)
    return rt:spied("x")[1]
  end

  describe(".http", function()
    local server
    before_each(function() server = support.server() end)

    local function get(needs, more, declaration) return try("http.get('" .. server.url .. "/x')", needs, more, declaration) end

    it("that is absent grants nothing", function()
      assert.equal("denied", get(""))
      assert.equal(0, server.count("/x"))
    end)

    it("grants an origin", function() assert.is_true(get("http = { '" .. server.url .. "' }")) end)

    it("grants no other port", function() assert.equal("denied", get("http = { 'http://127.0.0.1:1' }")) end)

    it("grants no other scheme", function() assert.equal("denied", get("http = { '" .. server.url:gsub("http", "https") .. "' }")) end)

    it("grants no other host that ends alike", function()
      assert.equal("denied", try("http.get('http://evilexample.com/')", "http = { 'http://*.example.com' }"))
    end)

    it("grants names below a leading star, but not the name itself", function()
      assert.equal("denied", try("http.get('http://example.invalid/')", "http = { 'http://*.example.invalid' }"))
      rt = assert(support.open())
      assert.not_equal("denied", try("http.get('http://a.example.invalid/')", "http = { 'http://*.example.invalid' }"))
    end)

    it("grants the origin of a connection's field", function()
      rt:provider("p", support.starts, "connectionOptionTypes = { { fieldName = 'serviceUrl' } }")
      rt:ask("connection.add", { name = "c", provider = "p", config = { serviceUrl = server.url .. "/api/v1" } })
      assert.is_true(get("http = { '${connection.serviceUrl}' }", { connection = "c" }, "connectionOptionTypes = { { fieldName = 'serviceUrl' } },"))
    end)

    it("grants the host of a connection at the connection's port, and at no other", function()
      local declared = "connectionOptionTypes = { { fieldName = 'host' }, { fieldName = 'port', inputType = 'number' } },"
      local host, port = server.url:match("^(.*):(%d+)$")
      local function with(number)
        rt:provider("p", support.starts, declared)
        rt:ask("connection.add", { name = "c", provider = "p", config = { host = host, port = number } })
        return get("http = { '${connection.host}' }", { connection = "c" }, declared)
      end
      assert.is_true(with(port))
      rt = assert(support.open())
      assert.equal("denied", with("1"))
      rt = assert(support.open())
      assert.equal("denied", with())
    end)

    it("grants the origin of an option", function()
      assert.is_true(get("http = { '${option.url}' }", { config = { url = server.url } }, "optionTypes = { { fieldName = 'url' } },"))
    end)

    it("grants nothing by a template whose value is not set", function()
      assert.equal("denied", get("http = { '${connection.serviceUrl}' }"))
    end)

    it("is not stretched by user information or a path in the URL", function()
      assert.equal("denied", try("http.get('" .. server.url .. "@example.invalid/')", "http = { '" .. server.url .. "' }"))
    end)

    it("leaves no sent mark for what was denied", function()
      try("http.post('" .. server.url .. "/x')", "")
      assert.is_nil(rt:result(1).sentDate)
    end)
  end)

  describe(".exec", function()
    it("that is absent grants nothing", function() assert.equal("denied", try("process.run{ argv = { 'true' } }", "")) end)
    it("grants a program by name", function() assert.is_true(try("process.run{ argv = { 'true' } }", "exec = { 'true' }")) end)
    it("grants no other", function() assert.equal("denied", try("process.run{ argv = { 'cat' } }", "exec = { 'true' }")) end)
    it("grants a path with a star for one name of it", function()
      assert.is_true(try("process.run{ argv = { '/usr/bin/true' } }", "exec = { '/usr/*/true' }"))
    end)
    it("grants no deeper path by a star, no hidden name, and none that leads upwards", function()
      for _, path in ipairs{ "/usr/local/bin/true", "/usr/.bin/true", "/usr/../true", "/usr/true" } do
        assert.equal("denied", try("process.run{ argv = { '" .. path .. "' } }", "exec = { '/usr/*/true' }"))
        rt = assert(support.open())
      end
    end)
    it("grants a program in the folder that an option names, literally", function()
      local option, run = "optionTypes = { { fieldName = 'dir' } },", "process.run{ argv = { '/usr/bin/true' } }"
      assert.is_true(try(run, "exec = { '${option.dir}/true' }", { config = { dir = "/usr/bin" } }, option))
      rt = assert(support.open())
      assert.equal("denied", try(run, "exec = { '${option.dir}/true' }", { config = { dir = "/usr/*" } }, option))
    end)
    it("grants no other path to a program of that name", function() assert.equal("denied", try("process.run{ argv = { '/tmp/true' } }", "exec = { 'true' }")) end)
    it("holds for jobs, too", function()
      rt = support.openLasting()
      assert.equal("denied", try("job.start{ name = 'j', argv = { 'true' } }", ""))
    end)
    it("leaves no sent mark for what was denied", function()
      try("process.run{ argv = { 'true' } }", "")
      assert.is_nil(rt:result(1).sentDate)
    end)
    it("grants the program of an option", function()
      assert.is_true(try("process.run{ argv = { b:getConfigProperty('tool') } }", "exec = { '${option.tool}' }", { config = { tool = "true" } }, "optionTypes = { { fieldName = 'tool' } },"))
    end)
  end)

  describe(".read and .write", function()
    local folder
    before_each(function() folder = support.folder() end)

    it("that are absent grant nothing", function()
      assert.equal("denied", try("fs.list('" .. folder .. "')", ""))
      rt = assert(support.open())
      assert.equal("denied", try("fs.mkdir('" .. folder .. "/a')", ""))
    end)

    it("grant a folder and what lies below", function()
      assert.is_true(try("fs.mkdir('" .. folder .. "/a') assert(fs.stat('" .. folder .. "/a'))", "read = { '" .. folder .. "' }, write = { '" .. folder .. "' }"))
    end)

    it("do not grant writing by reading", function()
      assert.equal("denied", try("fs.mkdir('" .. folder .. "/a')", "read = { '" .. folder .. "' }"))
    end)

    it("are not left by dots or links", function()
      os.execute("mkdir " .. folder .. "/in && ln -s /etc " .. folder .. "/in/link")
      assert.equal("denied", try("fs.list('" .. folder .. "/in/../..')", "read = { '" .. folder .. "/in' }"))
      rt = assert(support.open())
      assert.equal("denied", try("fs.list('" .. folder .. "/in/link')", "read = { '" .. folder .. "/in' }"))
    end)
  end)

  for what, needs in pairs{ ["an unknown kind"] = "htp = { 'http://x' }", ["a path in an origin"] = "http = { 'http://x/y' }",
                            ["a star in the middle"] = "http = { 'http://a.*.com' }", ["a template with a suffix for http"] = "http = { '${connection.serviceUrl}/x' }",
                            ["a star for a program's name"] = "exec = { 'pg_*' }", ["a pattern that is more than stars"] = "exec = { '/usr/*/[ab]' }",
                            ["a folder behind a template for exec"] = "exec = { '${opts.x}/bin/sh' }", ["no list"] = "http = 'http://x'" } do
    it("with " .. what .. " do not load", function()
      local ok, err = rt:source("p", "local p = Provider{ apiVersion = 1, code = 'p', name = 'p', version = '1', needs = { " .. needs .. " } } function p.executeBackup() end return p")
      assert.is_nil(ok)
      assert.equal("provider", err.code)
    end)
  end

  it("are shown", function()
    rt:provider("p", support.starts, "needs = { http = { 'https://x.example' }, exec = { 'restic' } }")
    local needs = rt:ask("provider.show", { provider = "p" }).needs
    assert.same({ "https://x.example" }, needs.http)
    assert.same({ "restic" }, needs.exec)
  end)
end)

describe("the sandbox", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  for _, name in ipairs{ "ffi", "jit", "debug", "io", "newproxy", "getfenv", "setfenv", "dofile", "loadfile", "module", "package" } do
    it("has no " .. name, function()
      rt:provider("p", "function provider.executeBackup() spy('x', rawget(_G, '" .. name .. "') == nil) end")
      rt:run("p")
      assert.same({ true }, rt:spied("x"))
    end)
  end

  for code, what in pairs{ ["os.execute"] = "os.execute == nil", ["string.dump"] = "string.dump == nil", ["bytecode"] = "load('\\27LJ\\2\\2') == nil",
                           ["a string metatable to change"] = "not pcall(function() getmetatable('').__index = nil end)", ["a way to require ffi"] = "not pcall(require, 'ffi')" } do
    it("has no " .. code, function()
      rt:provider("p", "function provider.executeBackup() local ok, value = pcall(function() return " .. what .. " end) spy('x', not ok or value) end")
      rt:run("p")
      assert.same({ true }, rt:spied("x"))
    end)
  end
end)
