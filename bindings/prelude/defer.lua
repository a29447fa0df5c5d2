-- defer
local raw, _, core = ...
local await = core.await

---Registers a clean-up: when the result that this hook is about has ended, in whatever way, the provider's hook
---`cleanUp(backupResult, name, args)` is called with it, the last registered first, until it succeeds. Durable when it returns, so it
---survives a crash in the next instruction: call it before what must be cleaned up is made. Registering the same again changes nothing.
---@param name string letters, digits, - and _, 64 at most
---@param args? table plain data; keep it small
local function defer(name, args)
  await(raw.defer(name, args))
end

return defer
