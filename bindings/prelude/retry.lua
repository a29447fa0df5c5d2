-- retry
local _, lib, core = ...

local error, pcall, type = error, pcall, type
local check = core.check
local min, random, sleep = lib.math.min, lib.math.random, lib.sleep

local known = { run = "function!", attempts = "number", delay = "number", max = "number", when = "function" }

---Runs a function again while it raises errors that may pass (`retryable`), with back-off, and answers what it returns. The hook's own
---deadline and a cancel end it at once.
---@param options { run: (fun(attempt: integer): ...), attempts: integer?, delay: number?, max: number?, when: (fun(err: any): boolean)? }
---  attempts: 5 in all if not given. delay: seconds before the second, 1 if not given, doubling (with jitter) up to max, 30 if not given.
---  when: which errors to try again after, instead of err.retryable
---@return any ...
local function retry(options)
  check(options, "retry", known)
  local run = options.run
  local attempts, delay, most = options.attempts or 5, options.delay or 1, options.max or 30
  local function mayPass(err)
    if type(err) == "table" and (err.code == "deadline" or err.code == "cancelled") then return false end
    if options.when then return options.when(err) end
    return type(err) == "table" and err.retryable
  end
  local function settle(attempt, ok, ...)
    if ok then return ... end
    local err = (...)
    if attempt >= attempts or not mayPass(err) then error(err, 0) end
    sleep(min(delay, most) * (0.75 + random() / 2))
    delay = delay * 2
    return settle(attempt + 1, pcall(run, attempt + 1))
  end
  return settle(1, pcall(run, 1))
end

return retry
