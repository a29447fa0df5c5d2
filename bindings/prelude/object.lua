-- The methods of the model objects; those that wait raise what they are told.
local raw, _, core = ...
local methods = {}

for _, name in ipairs{ "getConfigProperty", "setConfigProperty", "getConfigMap", "setConfigMap", "copy" } do methods[name] = raw[name] end
methods.save = core.await(raw.save)
methods.results = core.await(raw.results)
methods.run = core.await(raw.run)

return methods
