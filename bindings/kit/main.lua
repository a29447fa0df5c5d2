-- `orrery provider test`: main { PATH, "key=value", ... } runs the specs of a path and answers the exit code.
--
-- Keys: filter (a Lua pattern; may come several times), output (text, TAP), junit (a file), record (the cassettes are recorded).
-- Exit codes: 0 all passed, 1 some did not, busted is not installed or the report cannot be written, 2 an option that is none, 4 no specs
-- there, or no test in them.
local specs = require "orrery.specs"

-- One line; what was typed cannot steer a terminal.
local function complain(...) io.stderr:write("orrery: ", (table.concat { ... }:gsub("%c", " ")), "\n") end

local function options(args)
  local chosen = { filter = {}, output = "text" }
  for i = 2, #args do
    local key, value = args[i]:match("^(%w+)=(.*)$")
    if key == "filter" then table.insert(chosen.filter, value)
    else chosen[key] = value end
  end
  return chosen
end

local function run(found, chosen)
  local args = { "--output=orrery.report", "--pattern=_spec" }
  for _, filter in ipairs(chosen.filter) do table.insert(args, "--filter=" .. filter) end
  for _, entry in ipairs(found) do table.insert(args, entry.spec) end
  local ok, err = pcall(string.find, "", chosen.filter[1] or "")
  if not ok then
    complain("--filter: ", (err:gsub("^.-:%d+: ", "")))
    return 2
  end
  local context = { found = found, output = chosen.output, junit = chosen.junit, record = chosen.record }
  local code = specs(args, context)
  if code ~= 0 or context.hasRun then return code end
  complain("no test was run: ", #chosen.filter > 0 and "--filter finds none" or "there is none in these specs")
  return 4
end

--- busted would only say so when all is over, and that all is well.
local function mayWrite(path)
  local file, err = io.open(path, "a")
  if file then file:close() end
  return file ~= nil, err
end

return function(args)
  local chosen = options(args)
  local busted, missing = specs.find()
  if not busted then
    complain(missing)
    return 1
  end
  local found, err = require "orrery.find"(args[1])
  if not found then
    complain(err)
    return 4
  end
  if #found == 0 then
    complain("no specs for ", args[1], ": they are called NAME_spec.lua, beside the provider or in spec/")
    return 4
  end
  if chosen.junit then
    local may, wrong = mayWrite(chosen.junit)
    if not may then
      complain("--junit: ", wrong)
      return 1
    end
  end
  return run(found, chosen)
end
