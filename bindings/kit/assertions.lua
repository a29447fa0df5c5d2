-- assert.result(r).succeeded() and its like. What fails says how the result is, and shows its journal.
local luassert = require "luassert"
local story = require "orrery.story"
local blame = require "orrery.blame"

---They can be chained; one that fails shows the result and its journal.
---@class ResultAssertions
---@field succeeded fun(): ResultAssertions
---@field succeededWithWarning fun(): ResultAssertions
---@field cancelled fun(): ResultAssertions
---@field running fun(): ResultAssertions
---@field failed fun(part?: string): ResultAssertions with that in its message
---@field needsAttention fun(word?: string): ResultAssertions such as "unknown_start"
---@field deleted fun(): ResultAssertions

local checks = {}

function checks.succeeded(result) return result.status == "SUCCEEDED" and not result.attention, "should have SUCCEEDED" end

function checks.succeededWithWarning(result) return result.status == "SUCCEEDED_WARNING", "should have SUCCEEDED_WARNING" end

function checks.cancelled(result) return result.status == "CANCELLED", "should be CANCELLED" end

function checks.running(result)
  local is = { INITIALIZING = true, IN_PROGRESS = true, CANCEL_REQUESTED = true }
  return is[result.status] and not result.attention, "should be running"
end

function checks.failed(result, part)
  local message = result.errorMessage or result.statusMessage or ""
  local is = result.status == "FAILED" and (part == nil or message:find(part, 1, true) ~= nil)
  return is, part and ("should have FAILED with '%s'"):format(part) or "should have FAILED"
end

function checks.needsAttention(result, word)
  local is = result.attention ~= nil and (word == nil or result.attention == word)
  return is, word and ("should need attention (%s)"):format(word) or "should need attention"
end

function checks.deleted(result) return result.deleted == true, "should have been deleted" end

local function must(result, is, what)
  if is then return end
  local where = blame.where()
  blame.fail(("%s: the result %s, but it %s\n%s"):format(where, what, story.state(result), story.journal(result)))
end

local Subject = { __index = function(self, name)
  local check = checks[name]
  if not check then blame.raise("assert.result(r) has no '%s'", tostring(name)) end
  return function(...)
    local is, what = check(self.result, ...)
    must(self.result, is, what)
    return self
  end
end }

-- assert is luassert's table: it gets a function of ours.
rawset(luassert, "result", function(result)
  if type(result) ~= "table" or not result.uuid then blame.raise "assert.result takes a result of run.backup" end
  return setmetatable({ result = result }, Subject)
end)
