-- Errors that name the line of the spec, not one of ours.
local blame = {}

--- "spec/acme_spec.lua:12" for the innermost caller that is not the kit; "" if there is none.
function blame.where()
  for level = 2, 200 do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    if info.what ~= "C" and not info.source:find("^@orrery/") and not info.source:find("luassert/", 1, true) and info.currentline > 0 then
      return ("%s:%d"):format(info.short_src, info.currentline)
    end
  end
  return ""
end

--- Raises the message with that line in front: the spec asked for something wrong.
function blame.raise(format, ...)
  local message = select("#", ...) > 0 and format:format(...) or format
  local where = blame.where()
  error(where == "" and message or where .. ": " .. message, 0)
end

--- Fails the test with the message as it is.
function blame.fail(message) require("busted").fail(message, 0) end

--- The text of whatever was raised.
function blame.text(raised)
  if type(raised) == "table" and raised.message ~= nil then return tostring(raised.message) end
  return tostring(raised)
end

--- The keys of a table must be among these words; a wrong one is named with the nearest.
function blame.check(name, values, known)
  if type(values) ~= "table" then blame.raise("%s takes a table, not %s", name, type(values)) end
  for key in pairs(values) do
    if not known[key] then
      local words = {}
      for word in pairs(known) do table.insert(words, word) end
      table.sort(words)
      blame.raise("%s: no '%s'; there are: %s", name, tostring(key), table.concat(words, ", "))
    end
  end
  return values
end

return blame
