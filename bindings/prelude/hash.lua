-- hash: digests of bytes and of files.
local raw, _, core = ...
local await = core.await

return {
  ---@param bytes string
  ---@param asBytes? boolean the digest as 32 bytes instead of hexadecimal
  ---@return string
  sha256 = raw.sha256,
  ---@param bytes string
  ---@param asBytes? boolean the digest as 64 bytes instead of hexadecimal
  ---@return string
  sha512 = raw.sha512,
  ---The SHA-256 of a file, in hexadecimal. Waits where the file is large. Needs `needs.read`.
  ---Raises { code = "not_found" | "denied" | "io" | "timeout" }.
  ---@param path string absolute
  ---@return string
  file = function(path) return (await(raw.file(path))) end,
}
