"""A proxy in front of a real API server that answers for it when a test says so.

It ends TLS with the client (with the server's own certificate, so the client checks the right name
and CA) and speaks TLS to the server as the administrator, or as who the client's token says; every
request is noted.
Faults are rules: the first that matches a request, and is not used up, decides.
"""
import collections
import ctypes
import dataclasses
import http.client
import json
import socketserver
import ssl
import threading
import time

Request = collections.namedtuple("Request", "at method path status body")


@dataclasses.dataclass
class Fault:
    """What happens to requests of this method whose path has this in it, `times` times."""
    method: str
    path: str
    status: int = 0            # an answer in the server's place; 0: see `cut`
    retry_after: int = None
    cut: str = ""              # "before": reset unasked; "after": the server acts, then reset
    event: int = 0             # for watches: one ERROR event of this code inside a 200
    message: str = "injected"  # of the Status
    times: int = 1
    hits: int = 0

    def matches(self, method, path):
        return self.hits < self.times and method == self.method and self.path in path


class FaultProxy:
    """Listens on 127.0.0.1:port. `requests` is what clients asked, with the status they got."""

    def __init__(self, run, server=("10.89.0.1", 6443), port=6444, administrator=True):
        self.server, self.port, self.pki = server, port, run / "pki"
        self.requests, self.faults, self.open = [], [], set()
        self.asking = 0  # requests that the server has not answered yet
        self.watches = []  # when those that go on were opened
        self.lock = threading.Lock()
        self.down, self.turned_away = False, 0
        self._incoming = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._incoming.load_cert_chain(self.pki / "apiserver.crt", self.pki / "apiserver.key")
        self._outgoing = ssl.create_default_context(cafile=self.pki / "ca.crt")
        if administrator:
            self._outgoing.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                proxy.serve(self.request)

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 128

            def handle_error(self, request, client_address):
                pass  # a connection that ends in the middle is what these tests are about

        self._listener = Listener(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()

    # --- what tests do ---

    def inject(self, method, path, **what):
        fault = Fault(method, path, **what)
        with self.lock:
            self.faults.append(fault)
        return fault

    def clear(self):
        with self.lock:
            self.faults.clear()

    def count(self, method="", path="", since=0.0):
        with self.lock:
            return sum(one.at >= since and method in one.method and path in one.path
                       for one in self.requests)

    def watched(self, count, since=0.0):
        """Whether so many watches that were opened since then go on, and nothing is being asked."""
        with self.lock:
            return sum(at >= since for at in self.watches) >= count and not self.asking

    def outage(self):
        """From here on every connection is reset: those there are, and new ones, which count."""
        self.down, self.turned_away = True, 0
        with self.lock:
            for one in self.open:
                reset(one)

    def recover(self):
        self.down = False

    def stop(self):
        self._listener.shutdown()
        self._listener.server_close()
        self.outage()

    # --- one connection ---

    def serve(self, plain):
        if self.down:
            self.turned_away += 1
            reset(plain)
            return
        plain.settimeout(400)
        downstream = self._incoming.wrap_socket(plain, server_side=True)
        with self.lock:
            self.open.add(downstream)
        upstream = http.client.HTTPSConnection(*self.server, context=self._outgoing, timeout=400)
        try:
            reader = downstream.makefile("rb")
            while self.exchange(downstream, reader, upstream):
                pass
        finally:
            with self.lock:
                self.open.discard(downstream)
            upstream.close()
            downstream.close()

    def exchange(self, downstream, reader, upstream):
        first = reader.readline().decode()
        if not first:
            return False
        method, path, _ = first.split(" ")
        headers = http.client.parse_headers(reader)
        body = reader.read(int(headers.get("Content-Length", 0)))
        with self.lock:
            fault = next((one for one in self.faults if one.matches(method, path)), None)
            if fault:
                fault.hits += 1
        if fault and fault.cut != "after":
            return self.answer(downstream, fault, method, path, body)
        given = {name: value for name, value in headers.items()
                 if name.lower() not in ("host", "content-length", "connection")}
        self.asks(1)
        try:
            upstream.request(method, path, body=body or None, headers=given)
            response = upstream.getresponse()
            self.note(method, path, response.status, body)
        finally:
            self.asks(-1)
        if fault:
            if "watch=true" not in path:
                response.read()
            reset(downstream)
            return False
        return self.relay(downstream, response, "watch=true" in path)

    def answer(self, downstream, fault, method, path, body):
        self.note(method, path, fault.status or (200 if fault.event else 0), body)
        if fault.cut:
            reset(downstream)
            return False
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                  "code": fault.event or fault.status, "reason": "Expired", "message": fault.message}
        if fault.event:
            body = json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
        else:
            body = json.dumps(status).encode()
        extra = "" if fault.retry_after is None else f"Retry-After: {fault.retry_after}\r\n"
        downstream.sendall(f"HTTP/1.1 {fault.status or 200} Injected\r\n{extra}"
                           f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                           .encode() + body)
        return True

    def relay(self, downstream, response, streaming):
        head = f"HTTP/1.1 {response.status} {response.reason}\r\n"
        for name in ("Content-Type", "Retry-After"):
            if response.headers.get(name):
                head += f"{name}: {response.headers[name]}\r\n"
        if not streaming:
            body = response.read()
            downstream.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
            return True
        downstream.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        opened = time.monotonic()
        with self.lock:
            self.watches.append(opened)
        try:
            while piece := response.read1(65536):
                downstream.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        finally:
            with self.lock:
                self.watches.remove(opened)
        downstream.sendall(b"0\r\n\r\n")
        return True

    def note(self, method, path, status, body):
        with self.lock:
            self.requests.append(Request(time.monotonic(), method, path, status, body))

    def asks(self, change):
        with self.lock:
            self.asking += change


def reset(connection):
    """Ends it with a RST, whoever reads it now: what a machine that fell over looks like."""
    unspecified = bytes(16)  # a socket address of family AF_UNSPEC: connect() to it disconnects
    ctypes.CDLL(None).connect(connection.fileno(), unspecified, len(unspecified))
