-- secret
local raw = ...

---Marks a text as secret: it is redacted (raw, base64, URL-encoded, as JSON writes it) from logs, messages and errors from now on.
---@param value string
---@return string value the same
local function secret(value)
  raw.mark(value)
  return value
end

return secret
