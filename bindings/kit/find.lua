-- Which specs a path stands for, and which provider each of them is about.
--
--   acme/ with init.lua     acme/*_spec.lua, acme/spec/*_spec.lua              provider acme
--   acme.lua                acme_spec.lua and spec/acme_spec.lua beside it     provider acme
--   acme_spec.lua           itself; the provider beside it, or beside spec/
--   any other folder        its own and its spec/'s, each with the provider of its name, and those of the providers in folders in it
--
-- A provider is { code, folder (where providers are looked for), path }, or nil where a spec names its own.
local lfs = require "lfs"

local SUFFIX = "_spec%.lua$"

local function mode(path) return lfs.attributes(path, "mode") end

local function isFile(path) return mode(path) == "file" end

local function split(path)
  local folder, name = path:match("^(.*)/([^/]+)$")
  if not folder then return ".", path end
  return folder == "" and "/" or folder, name
end

--- The same path without "." and "..", from the root.
local function absolute(path)
  if path:sub(1, 1) ~= "/" then path = lfs.currentdir() .. "/" .. path end
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then table.remove(parts)
    elseif part ~= "." then table.insert(parts, part) end
  end
  return "/" .. table.concat(parts, "/")
end

local function names(folder)
  local found = {}
  if mode(folder) == "directory" then
    for name in lfs.dir(folder) do table.insert(found, name) end
  end
  table.sort(found)
  return found
end

local function specsIn(folder)
  local found = {}
  for _, name in ipairs(names(folder)) do
    local path = folder .. "/" .. name
    if name:find(SUFFIX) and isFile(path) then table.insert(found, path) end
  end
  return found
end

local function folderProvider(folder)
  if not isFile(folder .. "/init.lua") then return nil end
  local parent, code = split(folder)
  return { code = code, folder = parent, path = folder .. "/init.lua" }
end

local function fileProvider(folder, code)
  local path = folder .. "/" .. code .. ".lua"
  if isFile(path) then return { code = code, folder = folder, path = path } end
  return folderProvider(folder .. "/" .. code)
end

--- The provider that a spec is about.
local function providerOf(spec)
  local folder, name = split(spec)
  local parent, own = split(folder)
  if own == "spec" then folder = parent end
  return folderProvider(folder) or fileProvider(folder, (name:gsub(SUFFIX, "")))
end

local function add(list, specs)
  for _, spec in ipairs(specs) do table.insert(list, { spec = spec, provider = providerOf(spec) }) end
end

--- The list of { spec, provider }; nil and a line if there is no such path.
return function(path)
  local found = {}
  path = absolute(path)
  if isFile(path) and path:find(SUFFIX) then
    add(found, { path })
  elseif isFile(path) then
    local folder, name = split(path)
    if name == "init.lua" then
      add(found, specsIn(folder))
      add(found, specsIn(folder .. "/spec"))
    else
      local spec = name:gsub("%.lua$", "") .. "_spec.lua"
      for _, at in ipairs { folder .. "/" .. spec, folder .. "/spec/" .. spec } do
        if isFile(at) then add(found, { at }) end
      end
    end
  elseif mode(path) == "directory" then
    add(found, specsIn(path))
    add(found, specsIn(path .. "/spec"))
    for _, name in ipairs(folderProvider(path) and {} or names(path)) do
      local folder = path .. "/" .. name
      if name:sub(1, 1) ~= "." and folderProvider(folder) then
        add(found, specsIn(folder))
        add(found, specsIn(folder .. "/spec"))
      end
    end
  else
    return nil, "no such file or folder: " .. path
  end
  return found
end
