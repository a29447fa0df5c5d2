-- Runs busted with its own command line options; answers the exit code: 0, or 1 if something failed.
--
-- busted ends the process by itself when something has failed; here it only says so, and whoever called goes on.
local stop = {}

--- busted, or nil and what to say where it is not installed.
local function find()
  local ok, err = pcall(require, "busted.core")
  if ok then return require "busted.runner" end
  if not err:find("module 'busted.core' not found", 1, true) then return nil, err end
  return nil, "busted is not installed, which runs the specs: apt install lua-busted"
end

return function(args)
  local compatibility = pcall(require, "busted.compatibility") and require "busted.compatibility"
  if compatibility then
    compatibility.exit = function(code)
      stop.code = code
      error(stop, 0)
    end
  end
  local runner, err = find()
  if not runner then
    io.stderr:write("orrery: ", err, "\n")
    return 1
  end
  arg = { [0] = "orrery", unpack(args) }
  stop.code = 0
  local ok, raised = pcall(runner, { standalone = false })
  if not ok and raised ~= stop then error(raised, 0) end
  return stop.code == 0 and 0 or 1
end
