-- tries: memory above the limit in the chunk of the file
-- expect: refused while it loaded
local kept = {}
for i = 1, 1e9 do kept[i] = ("x"):rep(1e6) .. i end
return Provider { apiVersion = 1, code = "upvalue_memory", name = "x", version = "1" }
