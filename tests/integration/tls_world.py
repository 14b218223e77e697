"""What the tests of the TLS port need: an app that the test plays, certificates, and clients that
show how a connection ended."""
import http.server
import os
import socket
import ssl
import subprocess
import threading


class App(http.server.ThreadingHTTPServer):
    """The user's container: its paths do what their names say."""
    daemon_threads = True

    def __init__(self, identity=None):
        super().__init__(("127.0.0.1", 0), AppHandler)
        if identity is not None:  # paths of a certificate and its key: it speaks HTTPS
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*identity)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        self.connections = 0
        self.requests = 0
        self.left = 0  # holding requests whose connection was closed by the sidecar
        self.go_on = threading.Event()  # lets /hold answer
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.go_on.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A sidecar that closes is part of the tests."""


class AppHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def log_message(self, *arguments):
        pass

    def answer(self, body, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.requests += 1
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self):
        self.server.requests += 1
        if self.path == "/hold":
            self.hold()
        elif self.path == "/cut-length":
            self.answer(b"a part", length=1000)
            self.close_connection = True
        elif self.path in ("/until-close", "/cut-until-close"):
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"x" * 100_000)
            if self.path == "/cut-until-close":
                self.wfile.flush()
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.connection.close()
        else:
            self.answer(b"you asked for " + self.path.encode())

    def hold(self):
        self.connection.settimeout(0.02)
        while not self.server.go_on.is_set():
            try:
                if self.connection.recv(1, socket.MSG_PEEK) == b"":
                    self.server.left += 1
                    self.close_connection = True
                    return
            except TimeoutError:
                pass
        self.connection.settimeout(None)
        self.answer(b"held")


def listens(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def openssl(*arguments, timeout=30):
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout)


class Authority:
    """A certificate authority of this test run."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self._make("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-days", "2", "-subj", "/CN=test authority", "-keyout", folder / "ca.key",
                   "-out", self.certificate)

    @staticmethod
    def _make(*arguments):
        done = openssl(*arguments)
        assert done.returncode == 0, done.stderr

    def issue(self, name, hosts="DNS:localhost"):
        """(certificate, key) of a new leaf, as bytes."""
        return tuple(path.read_bytes() for path in self.issue_files(name, hosts))

    def issue_files(self, name, hosts):
        """(certificate, key) of a new leaf, as files."""
        paths = {part: self.folder / f"{name}.{part}" for part in ("key", "csr", "crt", "ext")}
        paths["ext"].write_text(f"subjectAltName={hosts}\n")
        self._make("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-subj", f"/CN={name}", "-keyout", paths["key"], "-out", paths["csr"])
        self._make("x509", "-req", "-in", paths["csr"], "-CA", self.certificate,
                   "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "2",
                   "-extfile", paths["ext"], "-out", paths["crt"])
        return paths["crt"], paths["key"]


class Secret:
    """A folder as kubelet mounts a Secret: files are links through `..data`, updates swap that."""

    def __init__(self, folder):
        self.folder = folder
        self.updates = 0
        folder.mkdir()
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(f"..data/{name}")

    def update(self, certificate, key):
        self.updates += 1
        version = self.folder / f"..version-{self.updates}"
        version.mkdir()
        (version / "tls.crt").write_bytes(certificate)
        (version / "tls.key").write_bytes(key)
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        os.replace(link, self.folder / "..data")


class Client:
    """A connection over TLS that shows how it ends; certificates are for `localhost`."""

    def __init__(self, sidecar, authority):
        context = ssl.create_default_context(cafile=authority.certificate)
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python ignores it by default
        plain = socket.create_connection(sidecar.tls, timeout=30)
        self.tls = context.wrap_socket(plain, server_hostname="localhost",
                                       suppress_ragged_eofs=False)
        self.pending = b""

    def subject(self):
        return dict(pair[0] for pair in self.tls.getpeercert()["subject"])["commonName"]

    def send(self, *paths):
        self.tls.sendall(b"".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
                                  for path in paths))

    def answer(self):
        """The body of the next answer, which has a Content-Length."""
        while b"\r\n\r\n" not in self.pending:
            self.pending += self._more()
        head, _, rest = self.pending.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(rest) < size:
            rest += self._more()
        self.pending = rest[size:]
        return rest[:size]

    def ask(self, path):
        self.send(path)
        return self.answer()

    def read_to_the_end(self):
        """(bytes, whether the end came with a close_notify)."""
        while True:
            try:
                more = self.tls.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                return self.pending, False
            except ssl.SSLError as error:
                assert error.reason == "UNEXPECTED_EOF_WHILE_READING", error
                return self.pending, False
            if not more:
                return self.pending, True
            self.pending += more

    def _more(self):
        more = self.tls.recv(65536)
        assert more, "the connection ended"
        return more

    def close(self):
        self.tls.close()


def handshake(sidecar, authority, *options):
    """What `openssl s_client` says about one handshake, by the names it gives; None if refused."""
    done = openssl("s_client", "-connect", "%s:%s" % sidecar.tls, "-brief",
                   "-CAfile", authority.certificate, "-verify_return_error", *options)
    if done.returncode != 0:
        return None
    return dict(line.split(": ", 1) for line in done.stderr.splitlines() if ": " in line)


def curl(sidecar, authority, path, *options):
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--cacert", authority.certificate, "--max-time", "60",
         "--connect-to", "localhost:8112:%s:%s" % sidecar.tls, *options,
         f"https://localhost:8112{path}"], capture_output=True, timeout=90)
