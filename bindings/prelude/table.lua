-- The table library with a sort in Lua: stable, and its comparison may wait, which one called back from C may not.
local raw = ...
local error, type, tostring = error, type, tostring

local table = {}
for name, f in pairs(raw) do table[name] = f end
table.unpack = unpack
function table.pack(...) return { n = select("#", ...), ... } end

local RUN = 8 -- shorter runs are sorted by insertion

local function lessThan(a, b) return a < b end

local function insertionSort(list, from, to, isLess)
  for i = from + 1, to do
    local value, at = list[i], i - 1
    while at >= from and isLess(value, list[at]) do
      list[at + 1] = list[at]
      at = at - 1
    end
    list[at + 1] = value
  end
end

-- Merges list[from..middle] with list[middle+1..to]; the left half is moved aside first.
local function merge(list, spare, from, middle, to, isLess)
  for i = from, middle do spare[i] = list[i] end
  local left, right, at = from, middle + 1, from
  while left <= middle and right <= to do
    if isLess(list[right], spare[left]) then
      list[at], right = list[right], right + 1
    else
      list[at], left = spare[left], left + 1
    end
    at = at + 1
  end
  for i = left, middle do
    list[at] = spare[i]
    at = at + 1
  end
end

local function mergeSort(list, spare, from, to, isLess)
  if to - from < RUN then return insertionSort(list, from, to, isLess) end
  local middle = from + (to - from - (to - from) % 2) / 2
  mergeSort(list, spare, from, middle, isLess)
  mergeSort(list, spare, middle + 1, to, isLess)
  if isLess(list[middle + 1], list[middle]) then merge(list, spare, from, middle, to, isLess) end
end

---Sorts an array in place; equal elements keep their order.
---@param list any[]
---@param isLess? fun(a: any, b: any): boolean
function table.sort(list, isLess)
  if type(list) ~= "table" then error("table.sort: a table is needed, not " .. tostring(list), 2) end
  if isLess ~= nil and type(isLess) ~= "function" then error("table.sort: the order must be a function", 2) end
  mergeSort(list, {}, 1, #list, isLess or lessThan)
end

local BLOCK = 4000 -- elements joined by one instruction, which nothing can interrupt
local concat = raw.concat

---Joins texts and numbers.
---@param list (string|number)[]
---@param separator? string
---@param from? integer
---@param to? integer
---@return string
function table.concat(list, separator, from, to)
  if type(list) ~= "table" then return concat(list, separator, from, to) end -- which raises
  local first, last = from or 1, to or #list
  if type(first) ~= "number" or type(last) ~= "number" or last - first < BLOCK then return concat(list, separator, first, last) end
  local blocks = {}
  for at = first, last, BLOCK do
    blocks[#blocks + 1] = concat(list, separator, at, at + BLOCK - 1 < last and at + BLOCK - 1 or last)
  end
  return table.concat(blocks, separator)
end

return table
