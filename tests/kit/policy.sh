. "$1" # mock.http answers as the runtime's own client would have it answered: what goes wrong here goes wrong in the same way over a real connection.

cat >outside.py <<'PY'
import http.server, json, os, sys
text = open(sys.argv[1]).read()
asked = {}
class Outside(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        name = self.path.split("/")[1]
        with open("asked.log", "a") as log:
            log.write(json.dumps([name, self.command, self.path, body]) + "\n")
        number = asked[name] = asked.get(name, 0) + 1
        replies = cases[name]
        reply = replies[min(number, len(replies)) - 1]
        self.close_connection = True
        if reply == "reset":
            return
        text = "" if self.command == "HEAD" or reply["status"] in (204, 304) else reply.get("body", "")
        self.send_response(reply["status"])
        for key, value in reply.get("headers", {}).items():
            self.send_header(key, value)
        if reply["status"] not in (204, 304):
            self.send_header("Content-Length", str(len(reply.get("body", "")) + (10 if reply.get("truncated") else 0)))
        self.end_headers()
        self.wfile.write(text.encode())
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = any
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Outside)
cases = json.loads(text.replace("HERE", "http://127.0.0.1:PORT").replace("PORT", str(server.server_port)))
open("port.new", "w").write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
PY
mkdir spec
cp "$kit/helpers/policy_spec.lua" spec/
POLICY_WRITE=cases.json o provider test spec >written 2>&1
ok "the cases are written down" test -s cases.json
python3 outside.py cases.json &
outside=$!
until_ok test -s port
POLICY_PORT=$(cat port) o provider test spec --tap
ok "and are the same over a connection" test $? = 0
kill $outside
