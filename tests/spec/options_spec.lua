-- Declared options, of Backups and of connections: where they go, what is found wrong with them.
local support = require "support"

local execute = "function provider.executeBackup(b) spy('config', b:getConfigMap()) end\n"

describe("declared options", function()
  local rt
  before_each(function() rt = assert(support.open()) end)
  after_each(support.clean)

  local function declare(options) rt:provider("p", execute, "optionTypes = { " .. options .. " }") end
  local function config(values) return rt:create("p", { config = support.map(values) }).config end
  local function fields(values) return rt:refused("backup.create", { name = "b", provider = "p", config = support.map(values or {}) }).fields end

  it("are shown by the provider, with all that was declared", function()
    declare([[{ fieldName = "mode", fieldLabel = "Mode", helpText = "how much", inputType = "select", choices = { "full", { name = "Incremental", value = "inc" } },
      required = true, createOnly = true, defaultValue = "full" }]])
    local option = rt:ask("provider.show", { provider = "p" }).options[1]
    assert.same({ "mode", "Mode", "how much", "select", true, true }, { option.fieldName, option.fieldLabel, option.helpText, option.inputType, option.required, option.createOnly })
    assert.same({ { name = "full", value = "full" }, { name = "Incremental", value = "inc" } }, option.choices)
    assert.equal("full", option.defaultValue)
  end)

  it("are stored in the config map as what their type says, also from text", function()
    declare("{ fieldName = 'n', inputType = 'number' }, { fieldName = 'c', inputType = 'checkbox' }, { fieldName = 'l', inputType = 'list' }, { fieldName = 't' }")
    assert.same({ n = 5, c = true, l = { "one" }, t = "text" }, config{ n = "5", c = "yes", l = "one", t = "text" })
  end)

  it("keep lists as lists", function()
    declare("{ fieldName = 'l', inputType = 'list' }")
    assert.same({ l = { "a", "b" } }, config{ l = { "a", "b" } })
  end)

  it("have defaults", function()
    declare("{ fieldName = 'depth', inputType = 'number', defaultValue = 5 }, { fieldName = 't', defaultValue = 'x' }")
    assert.same({ depth = 7, t = "x" }, config{ depth = 7 })
    rt:ask("backup.rm", { backup = "b" })
    assert.same({ depth = 5, t = "x" }, config{})
  end)

  it("that are required are all named at once", function()
    declare("{ fieldName = 'a', fieldLabel = 'The A', required = true }, { fieldName = 'b', required = true }, { fieldName = 'c' }")
    local found = fields()
    assert.matches("The A is required", found.a)
    assert.matches("b is required", found.b)
    assert.is_nil(found.c)
  end)

  it("that are required are not there as empty text", function()
    declare("{ fieldName = 'a', required = true }")
    assert.matches("required", fields{ a = "" }.a)
  end)

  it("are satisfied by a default", function()
    declare("{ fieldName = 'a', required = true, defaultValue = 'x' }")
    assert.same({ a = "x" }, config{})
  end)

  for kind, value in pairs{ number = "five", checkbox = "perhaps", list = 5 } do
    it("of type " .. kind .. " refuse what is none", function()
      declare("{ fieldName = 'a', inputType = '" .. kind .. "' }")
      assert.is_string(fields{ a = value }.a)
    end)
  end

  for kind, value in pairs{ number = { 1 }, checkbox = 5, text = { 1 } } do
    it("of type " .. kind .. " refuse what has another type", function()
      declare("{ fieldName = 'a', inputType = '" .. kind .. "' }")
      assert.is_string(fields{ a = value }.a)
    end)
  end

  it("with choices refuse an entry of a list that is none of them, and take the others", function()
    declare("{ fieldName = 'a', inputType = 'list', choices = { 'x', 'y' } }")
    assert.matches("x, y", fields{ a = { "x", "z" } }.a)
    assert(rt:request("backup.create", { name = "good", provider = "p", config = { a = { "x", "y" } } }))
  end)

  it("with choices refuse what is none of them", function()
    declare("{ fieldName = 'a', inputType = 'select', choices = { 'x', 'y' } }")
    assert.matches("choices", fields{ a = "z" }.a)
    assert.same({ a = "y" }, config{ a = "y" })
  end)

  it("of an unknown name are named with the nearest real one", function()
    declare("{ fieldName = 'retention' }")
    assert.matches("did you mean 'retention'", fields{ retenton = 5 }.retenton)
  end)

  it("of type password are secrets: readable for the provider, in no list", function()
    rt:provider("p", "function provider.executeBackup(b) spy('same', b:getConfigProperty('key') == 'open ' .. 'sesame') end", "optionTypes = { { fieldName = 'key', inputType = 'password' } }")
    rt:create("p", { config = { key = "open sesame" } })
    rt:run("p")
    assert.same({ true }, rt:spied("same"))
    assert.is_nil(support.json.encode(rt:ask("backup.ls")):find("sesame", 1, true))
  end)

  for what, option in pairs{ ["an unknown key"] = "{ fieldName = 'a', requird = true }", ["no fieldName"] = "{ fieldLabel = 'a' }",
                             ["an unknown type"] = "{ fieldName = 'a', inputType = 'txt' }", ["a select without choices"] = "{ fieldName = 'a', inputType = 'select' }",
                             ["the same name twice"] = "{ fieldName = 'a' }, { fieldName = 'a' }" } do
    it("with " .. what .. " do not load", function()
      local ok, err = rt:source("p", "local p = Provider{ apiVersion = 1, code = 'p', name = 'p', version = '1', optionTypes = { " .. option .. " } } function p.executeBackup() end return p")
      assert.is_nil(ok)
      assert.equal("provider", err.code)
    end)
  end
end)

describe("connection options", function()
  local rt
  before_each(function()
    rt = assert(support.open())
    rt:provider("p", "function provider.executeBackup(b) local c = b.backupProvider spy('c', { c.serviceUrl, c.port, c:getConfigProperty('tenant') }) end",
      "connectionOptionTypes = { { fieldName = 'serviceUrl', required = true }, { fieldName = 'tenant', defaultValue = 't0' }, { fieldName = 'serviceToken', inputType = 'password', required = true } }")
  end)
  after_each(support.clean)

  it("go into the connection's fields where it has them, else into its configuration", function()
    rt:ask("connection.add", { name = "c", provider = "p", config = { serviceUrl = "https://x", port = "8443", serviceToken = "s" } })
    rt:create("p", { connection = "c" })
    rt:run("p")
    assert.same({ { "https://x", 8443, "t0" } }, rt:spied("c"))
  end)

  it("that are required are all named at once", function()
    local fields = rt:refused("connection.add", { name = "c", provider = "p" }).fields
    assert.is_string(fields.serviceUrl)
    assert.is_string(fields.serviceToken)
  end)

  it("of an unknown name are named with the nearest", function()
    local fields = rt:refused("connection.add", { name = "c", provider = "p", config = { serviceUrl = "x", serviceToken = "s", tenent = "t" } }).fields
    assert.matches("did you mean 'tenant'", fields.tenent)
  end)

  it("make a connection necessary if one is required", function()
    local err = rt:refused("backup.create", { name = "b", provider = "p" })
    assert.matches("needs a connection", err.message)
  end)

  it("belong to one provider: another's connection is refused", function()
    rt:provider("q", support.starts)
    rt:ask("connection.add", { name = "c", provider = "p", config = { serviceUrl = "x", serviceToken = "s" } })
    assert.matches("is for the provider 'p', not 'q'", rt:refused("backup.create", { name = "b", provider = "q", connection = "c" }).message)
  end)
end)
