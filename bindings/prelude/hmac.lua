-- hmac: keyed digests.
local raw = ...

return {
  ---@param key string
  ---@param bytes string
  ---@param asBytes? boolean the digest as bytes instead of hexadecimal
  ---@return string
  sha256 = raw.sha256,
  ---@param key string
  ---@param bytes string
  ---@param asBytes? boolean the digest as bytes instead of hexadecimal
  ---@return string
  sha512 = raw.sha512,
}
