-- What `provider test` prints: a line per test, a failure with its reason below it, and the count; or TAP; and JUnit into a file besides.
-- TAP and JUnit are busted's own.
local session = require "orrery.session"

local function indented(text, by) return (text:gsub("\n", "\n" .. by)) end

local function text(busted, handler)
  local counts = { success = 0, failure = 0, error = 0, pending = 0 }
  local words = { success = "ok      ", failure = "FAILED  ", error = "FAILED  ", pending = "pending " }
  local file
  busted.subscribe({ "file", "start" }, function(element)
    if element.name ~= file then print(element.name) end
    file = element.name
    return nil, true
  end)
  busted.subscribe({ "test", "end" }, function(element, _, status)
    counts[status] = counts[status] + 1
    print(("  %s%s"):format(words[status], handler.getFullName(element)))
    local list = status == "failure" and handler.failures or status == "error" and handler.errors or {}
    local last = list[#list]
    if last then print("            " .. indented(tostring(last.message), "            ")) end
    return nil, true
  end, { predicate = handler.cancelOnPending })
  -- What goes wrong outside of a test: a spec that does not load, a before_each.
  local function outside(element, _, message)
    if element.descriptor == "it" then return nil, true end
    counts.error = counts.error + 1
    print(("  FAILED  %s"):format(element.name or element.descriptor or ""))
    print("            " .. indented(tostring(message), "            "))
    return nil, true
  end
  busted.subscribe({ "error" }, outside)
  busted.subscribe({ "failure" }, outside)
  busted.subscribe({ "exit" }, function()
    local pending = counts.pending > 0 and (", %d pending"):format(counts.pending) or ""
    print(("%d passed, %d failed%s"):format(counts.success, counts.failure + counts.error, pending))
    return nil, true
  end)
end

return function(options)
  local busted = require "busted"
  local context = session.context
  session.attach(busted)
  local handler
  if context.output == "TAP" then
    handler = require "busted.outputHandlers.TAP"(options)
  else
    handler = require "busted.outputHandlers.base"()
    text(busted, handler)
  end
  if context.junit then
    options.arguments = { context.junit }
    require "busted.outputHandlers.junit"(options):subscribe(options)
  end
  return handler
end
