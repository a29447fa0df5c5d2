-- The author's coroutines. A hook runs in a coroutine of the runtime's; when a function that waits is called inside a coroutine
-- of the author's own, its wait must not surface in the author's resume. So resume recognises the runtime's
-- private marker, yields it on upwards and continues the inner coroutine with what comes back.
--
-- Invariants: the author never sees the marker; a coroutine that waits cannot be resumed by anybody else; coroutines are nested at
-- most MOST deep, because each level takes C stack.
local raw = ...
local create, resume, yield, running, status = raw.create, raw.resume, raw.yield, raw.running, raw.status
local marker, sliced = raw.marker, raw.sliced
local error, type, setmetatable = error, type, setmetatable

local MOST = 100
local depths = setmetatable({}, { __mode = "k" })
local waiting = setmetatable({}, { __mode = "k" })

local function continue(co, ...)
  waiting[co] = nil
  return resume(co, ...)
end

local function passed(co, ok, ...)
  if sliced() then -- the count hook took it off: the others have their turn, then it goes on
    waiting[co] = true
    yield(marker)
    return passed(co, continue(co))
  end
  if ok and (...) == marker then
    waiting[co] = true
    return passed(co, continue(co, yield(marker)))
  end
  return ok, ...
end

local coroutine = {}

---@param f function
---@return thread
function coroutine.create(f)
  if type(f) ~= "function" then error("coroutine.create: a function is needed, not a " .. type(f), 2) end
  return create(f)
end

---Continues a coroutine: true and what it yields or returns, or false and its error.
---@param co thread
---@return boolean ok, any ...
function coroutine.resume(co, ...)
  if type(co) ~= "thread" then error("coroutine.resume: a coroutine is needed, not a " .. type(co), 2) end
  if waiting[co] then return false, "cannot resume a coroutine that waits for something" end
  local outer = running()
  local depth = (outer and depths[outer] or 0) + 1
  if depth > MOST then return false, "coroutines are nested more than " .. MOST .. " deep" end
  depths[co] = depth
  return passed(co, resume(co, ...))
end

---@param ... any
---@return any ...
function coroutine.yield(...)
  local co = running()
  if not co or not depths[co] then error("coroutine.yield outside of a coroutine of your own; to wait, use sleep", 2) end
  return yield(...)
end

local function unwrapped(ok, ...)
  if ok then return ... end
  error((...), 0)
end

---@param f function
---@return function
function coroutine.wrap(f)
  local co = coroutine.create(f)
  return function(...) return unwrapped(coroutine.resume(co, ...)) end
end

---@param co thread
---@return string
function coroutine.status(co)
  if waiting[co] then return "normal" end
  return status(co)
end

---@return thread? co the author's coroutine that runs, nil in the hook itself
function coroutine.running()
  local co = running()
  if co and depths[co] then return co end
  return nil
end

---@return boolean
function coroutine.isyieldable() return coroutine.running() ~= nil end

return coroutine
