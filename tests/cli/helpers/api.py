# A backup system with a REST API, for tests of the command line: api.py LOG PORT_FILE. It writes a line for each request that arrives.
#
#   GET /                 200    POST /jobs {"key": K}  201 {"id"}    GET /jobs/ID  200 {"state"} or 404    DELETE /jobs/ID  204
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log, jobs = open(sys.argv[1], "a", buffering=1), {}


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, data=None):
        body = json.dumps(data).encode() if data is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def work(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        log.write(f"{self.command} {self.path}\n")
        name = self.path.rsplit("/", 1)[-1]
        if self.command == "POST":
            jobs[json.loads(body)["key"]] = True
            self.answer(201, {"id": json.loads(body)["key"]})
        elif self.command == "DELETE":
            self.answer(204 if jobs.pop(name, None) else 404)
        elif self.path == "/":
            self.answer(200, {"version": 7})
        else:
            self.answer(200, {"state": "done"}) if name in jobs else self.answer(404)

    do_GET = do_HEAD = do_POST = do_DELETE = work

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[2] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
