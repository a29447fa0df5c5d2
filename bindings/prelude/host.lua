-- host: functions of the program that the runtime lives in, where it offers some.
local raw, _, core = ...
local await, raise = core.await, core.raise
local setmetatable, type = setmetatable, type

---host.NAME(args): calls a function of the host's and answers what it returns; there is one for every name that the host offers
---(orr_host_offer "function:NAME" or "query:NAME"). Needs `needs.host = { "NAME" }`. Counts as a mutating act unless the host says that it
---only looks. Raises { code, message, retryable }: what the host answered, "refused" where it offers no such function, "denied".
---@param args any what JSON can carry
---@return any
local host = setmetatable({}, {
  __index = function(_, name)
    if type(name) ~= "string" then return nil end
    return function(args)
      return (await(raw.call(name, args)))
    end
  end,
  __newindex = function() raise("host cannot be written to") end,
  __metatable = "host",
})

return host
