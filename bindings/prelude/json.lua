-- json: values to text and back.
local raw = ...

local json = {}

---Stands for null in arrays and maps, where nil cannot be stored. As text it is "null"; it is true in a condition.
json.null = raw.null

---The value as JSON text. Maps come out sorted by key.
---@param value any nil, booleans, finite numbers, UTF-8 strings, arrays (1..n), maps with string keys, model objects
---@param options? { pretty: boolean? }
---@return string? text
---@return string? err names the place: "config.disks[2].size is a function, which JSON cannot say"
json.encode = raw.encode

---The value of a JSON text. Integers beyond 2^53 become strings.
---@param text string
---@param options? { nulls: boolean? } nulls: keep null as json.null instead of leaving it out
---@return any value
---@return string? err "line 1, column 7: ..."
json.decode = raw.decode

---Marks a table as an array, so that it is written as [] also when it is empty. Arrays from json.decode are marked.
---@param list? table
---@return table list the same table
json.array = raw.array

return json
