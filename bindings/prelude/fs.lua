-- fs: small things with local files. Paths are absolute and must be granted by the provider's `needs.read` or `needs.write`.
-- Everything raises { code = "denied" | "not_found" | "exists" | "io" | "limit", message, retryable } when it cannot.
local raw, _, core = ...

local sort = table.sort
local await, check = core.await, core.check

local fs = {}
local removeOptions, writeOptions = { recursive = "boolean" }, { private = "boolean" }

---What is there: nil if nothing is. Follows links. Needs `needs.read`.
---@param path string
---@return { type: "file"|"directory"|"other", size: integer, modified: number, mode: integer }? stat size in bytes, modified in ms
function fs.stat(path)
  return (await(raw.stat(path)))
end

---Is anything there? Needs `needs.read`.
---@param path string
---@return boolean
function fs.exists(path)
  return await(raw.stat(path)) ~= nil
end

---The names in a folder, sorted, without "." and "..". Needs `needs.read`.
---@param path string
---@return string[] names at most 100,000
function fs.list(path)
  local names = await(raw.list(path))
  sort(names)
  return names
end

---Makes a folder and those above it. Needs `needs.write`.
---@param path string
---@return boolean made false: it was there
function fs.mkdir(path)
  return (await(raw.mkdir(path)))
end

---Removes a file, a link, an empty folder, or, with { recursive = true }, a folder with all that is in it (at most 100,000
---entries; links are removed, not followed). Needs `needs.write`.
---@param path string
---@param options? { recursive: boolean? }
---@return boolean removed false: nothing was there
function fs.remove(path, options)
  local recursive = check(options or {}, "fs.remove", removeOptions).recursive
  return (await(raw.remove(path, recursive)))
end

---The bytes of a file of at most 1 MiB. Needs `needs.read`.
---@param path string
---@return string
function fs.read(path)
  return (await(raw.read(path)))
end

---Writes a file of at most 1 MiB, whole or not at all. Needs `needs.write`.
---@param path string
---@param bytes string
---@param options? { private: boolean? } private: only its owner may read it
function fs.write(path, bytes, options)
  await(raw.write(path, bytes, check(options or {}, "fs.write", writeOptions).private))
end

---Renames a file or a folder within a file system, so that it survives a power failure. A file or an empty folder that is called
---`to` is replaced. Needs `needs.write` for both.
---@param from string
---@param to string
function fs.rename(from, to)
  await(raw.rename(from, to))
end

return fs
