-- sleep
local raw, _, core = ...
local await = core.await

---Waits. Costs nothing while it does; other hooks go on. Raises { code = "deadline" | "cancelled" } when the hook must end.
---@param seconds number fractions allowed
local function sleep(seconds)
  await(raw.sleep(seconds))
end

return sleep
