-- poll
local _, lib, core = ...

local check, error = core.check, error
local sleep, time = lib.sleep, lib.time

local known = { check = "function!", every = "number", timeout = "number", message = "string" }

---Asks again and again until `check` answers something true, and answers that. For short waits inside a hook; for the backup itself
---there is refreshBackupResult.
---Raises { code = "timeout", retryable = true } when the timeout passes, and what `check` raises.
---@param options { check: (fun(): any), every: number?, timeout: number?, message: string? }
---  every: seconds between two checks, 5 if not given. timeout: seconds in all; without it the hook's deadline. message: of the timeout
---@return any value
local function poll(options)
  check(options, "poll", known)
  local begun = time.now()
  while true do
    local value = options.check()
    if value then return value end
    if options.timeout and time.since(begun) >= options.timeout then
      error({ code = "timeout", message = options.message or ("nothing came of polling for " .. options.timeout .. " s"), retryable = true }, 0)
    end
    sleep(options.every or 5)
  end
end

return poll
