-- Runs busted with its own command line options; answers the exit code: 0, or 1 if something failed.
--
-- busted ends the process by itself when something has failed; here it only says so, and whoever called goes on. With a `context` (of
-- `provider test`: see main.lua) every spec file is told its provider, and every test gets a world of its own, which ends with it.
local specs = {}

local stop = {}

--- true, or nil and what to say where busted is not installed.
function specs.find()
  local ok, err = pcall(require, "busted.core")
  if ok then return true end
  if not err:find("module 'busted.core' not found", 1, true) then return nil, err end
  return nil, "busted is not installed, which runs the specs: apt install lua-busted"
end

function specs.run(args, context)
  local ok, err = specs.find()
  if not ok then
    io.stderr:write("orrery: ", err, "\n")
    return 1
  end
  -- busted.runner keeps the function of the moment it is loaded.
  require("busted.compatibility").exit = function(code)
    stop.code = code
    error(stop, 0)
  end
  if context then require("orrery.session").begin(context) end
  arg = { [0] = "orrery", unpack(args) }
  stop.code = 0
  -- A spec that ends the process takes the count with it, and with 0 all would seem to be well.
  local exit, raised = os.exit, nil
  rawset(os, "exit", function() error("os.exit does not end a spec; an error or an assertion does", 2) end)
  ok, raised = pcall(require "busted.runner", { standalone = false })
  rawset(os, "exit", exit)
  if not ok and raised ~= stop then error(raised, 0) end
  return stop.code == 0 and 0 or 1
end

return setmetatable(specs, { __call = function(_, args, context) return specs.run(args, context) end })
