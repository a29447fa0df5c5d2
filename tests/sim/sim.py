#!/usr/bin/env python3
"""Simulators of vendors' APIs in a process of their own: python3 tests/sim/sim.py --ledger FILE [--tls CERTIFICATE KEY]

Prints `port N` (HTTP) and, with --tls, `tls N`, then serves on loopback until its standard input ends. A path that begins with /w/NAME belongs to
the world NAME, any other to the world `main`; a world is made by the first request for it. In it, /_sim/... is the control plane:

  POST /_sim/seed    {vendor, ..., job: {queued_s, running_s, finishing_s, ends, reason}}   what there is, and how jobs go
  POST /_sim/clock   {advance_s, skew_s}                         its clock goes ahead; skew shows in dates only
  POST /_sim/faults  {match: {method, path_re}, action, times}   see below
  POST /_sim/remove  {id}                                        somebody deletes that snapshot by hand
  GET  /_sim/journal, /_sim/live, /_sim/jobs, /_sim/sessions, /_sim/objects

Actions: status (status, retry_after, body), timeout_before_processing and timeout_after_processing (hold_s: then the connection is closed without an
answer), reset, truncate_body, bad_json, slow (ms), unknown_state (state), stuck (state), state_jump (state), vanish, eventual_visibility (n),
session_expire, clock_skew (s), pages (n, no_next), clear. A POST that is repeated does its work again, always: that is duplicate_on_retry.
Request headers are taken leniently: what counts is method, path and body.
"""
import argparse
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vendors import VENDORS  # noqa: E402
from world import Reply, Request, World  # noqa: E402

worlds = {}
worlds_lock = threading.Lock()
ledger = None


def world_of(path):
    name, rest = "main", path
    if path.startswith("/w/"):
        name, _, rest = path[3:].partition("/")
        rest = "/" + rest
    with worlds_lock:
        if name not in worlds:
            worlds[name] = World(name, VENDORS, ledger)
        return worlds[name], rest


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def drop(self, is_reset=False):
        if is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        if not is_reset:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def deliver(self, reply, fault):
        action = fault.action if fault else None
        if action in ("timeout_before_processing", "timeout_after_processing"):
            time.sleep(float(fault.spec.get("hold_s", 60)))
            return self.drop()
        if action == "reset":
            return self.drop(True)
        if action == "slow":
            time.sleep(float(fault.spec["ms"]) / 1000)
        body = b"" if reply.body is None else (reply.body if isinstance(reply.body, str) else json.dumps(reply.body)).encode()
        if action == "bad_json":
            body = body[:len(body) * 2 // 3]
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + (50 if action == "truncate_body" else 0)))
        self.end_headers()
        self.wfile.write(body)
        if action == "truncate_body":
            self.drop()

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode("utf-8", "replace") if length else ""
        parts = urlsplit(self.path)
        world, path = world_of(parts.path)
        request = Request(self.command, unquote(path), dict(parse_qsl(parts.query, keep_blank_values=True)), self.headers, text)
        host = "%s://%s" % ("https" if isinstance(self.connection, ssl.SSLSocket) else "http", self.headers.get("Host", "localhost"))
        request.base = host + parts.path[:len(parts.path) - len(path)]
        try:
            reply, fault = world.answer(request)
        except Exception as err:  # a fault of the simulator's own must be seen
            print("sim: %s %s: %r" % (self.command, self.path, err), file=sys.stderr, flush=True)
            reply, fault = Reply(599, {"error": repr(err)}), None
        try:
            self.deliver(reply, fault)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # whoever asked has died, which is what tests are for


def serve(context=None):
    server = Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    global ledger
    parser = argparse.ArgumentParser()
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    args = parser.parse_args()
    ledger = os.open(args.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    print("port %d" % serve(), flush=True)
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
        print("tls %d" % serve(context), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
