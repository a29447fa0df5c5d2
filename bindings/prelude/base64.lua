-- base64: bytes as text.
local raw = ...

return {
  ---Standard alphabet, padded.
  ---@param bytes string
  ---@return string
  encode = raw.encode,
  ---URL alphabet, unpadded.
  ---@param bytes string
  ---@return string
  encodeUrl = raw.encodeUrl,
  ---Either alphabet, padded or not.
  ---@param text string
  ---@return string? bytes
  ---@return string? err
  decode = raw.decode,
}
