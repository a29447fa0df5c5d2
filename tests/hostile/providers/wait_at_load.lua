-- tries: a request while the file loads
-- expect: refused cannot be used while the provider loads
http.get("http://127.0.0.1:@CANARY_PORT@/")
return Provider { apiVersion = 1, code = "wait_at_load", name = "x", version = "1" }
