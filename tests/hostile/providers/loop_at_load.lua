-- tries: an endless loop in the chunk of the file
-- expect: refused ran longer than 0.5 s
while true do pcall(error) end
return Provider { apiVersion = 1, code = "loop_at_load", name = "x", version = "1" }
