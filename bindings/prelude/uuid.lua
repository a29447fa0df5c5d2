-- uuid: random ones, from the runtime's source (a seeded test repeats them).
local raw = ...

return {
  ---A random (version 4) UUID. For what must be found again after a crash use backupResult.uuid instead.
  ---@return string
  new = raw.new,
  ---Does the value look like a UUID?
  ---@param text any
  ---@return boolean
  valid = raw.valid,
}
