"""An app that frames requests as careless servers do, and remembers what it took for a request.

`strict` follows RFC 9112 and complains about everything else. The others are the servers that
request smuggling needs: they accept bare LF, white space before colons, folded lines, any spelling
of `chunked`, any number that Python can read; `te-first` lets Transfer-Encoding win over
Content-Length, `cl-first` the other way round. `ignores-bodies` thinks that no request has one.
"""
import re
import socket
import threading

MODES = ("strict", "te-first", "cl-first")


class Unframable(Exception):
    """What the strict reader was sent is not HTTP."""


class Reader:
    def __init__(self, connection):
        self.connection = connection
        self.data = b""

    def more(self):
        piece = self.connection.recv(65536)
        if not piece:
            raise EOFError
        self.data += piece

    def line(self, strict):
        while b"\n" not in self.data:
            self.more()
        line, _, self.data = self.data.partition(b"\n")
        if strict and (not line.endswith(b"\r") or b"\r" in line[:-1] or b"\0" in line):
            raise Unframable(f"line {line!r}")
        return line.rstrip(b"\r")

    def take(self, count):
        while len(self.data) < count:
            self.more()
        body, self.data = self.data[:count], self.data[count:]
        return body


def read_request(reader, mode):
    """(method, target, body) of the next request, as a server of that mode sees it."""
    strict = mode == "strict"
    line = reader.line(strict)
    while not line and not strict:
        line = reader.line(strict)
    parts = line.split(b" ") if strict else line.split()
    if strict and (len(parts) != 3 or parts[2] != b"HTTP/1.1"):
        raise Unframable(f"request line {line!r}")
    fields = read_fields(reader, strict)
    body = read_body(reader, fields, mode)
    return parts[0].decode("latin-1"), parts[1].decode("latin-1"), body


def read_fields(reader, strict):
    fields = []
    while True:
        line = reader.line(strict)
        if not line:
            return fields
        if line[:1] in b" \t" and fields:
            if strict:
                raise Unframable(f"folded line {line!r}")
            fields[-1] = (fields[-1][0], fields[-1][1] + b" " + line.strip())
            continue
        name, colon, value = line.partition(b":")
        if strict and (not colon or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)):
            raise Unframable(f"field {line!r}")
        fields.append((name.strip(b" \t\v\f\r\0").lower(), value.strip(b" \t\v\f\r\0")))


def read_body(reader, fields, mode):
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if mode == "strict":
        clear = all(re.fullmatch(rb"\d+", value) for value in lengths) and all(
            value.lower() == b"chunked" for value in codings)
        if len(lengths) + len(codings) > 1 or not clear:
            raise Unframable(f"framing {fields!r}")
    if mode == "ignores-bodies":
        return b""
    chunked = any(b"chunked" in value.lower() for value in codings)
    if chunked and (mode != "cl-first" or not lengths):
        return read_chunks(reader, mode)
    if not lengths:
        return b""
    return reader.take(number(lengths[0 if mode == "cl-first" else -1].split(b",")[0], 10))


def number(text, base):
    try:
        return max(int(text, base), 0)
    except ValueError:
        digits = re.match(rb"\s*[0-9a-fA-F]+" if base == 16 else rb"\s*[0-9]+", text)
        return int(digits[0], base) if digits else 0


def read_chunks(reader, mode):
    strict, body = mode == "strict", b""
    while True:
        line = reader.line(strict)
        if strict and not re.fullmatch(rb"[0-9a-fA-F]{1,16}(;[\t -~\x80-\xff]*)?", line):
            raise Unframable(f"chunk size {line!r}")
        size = number(line.split(b";")[0], 16)
        if size == 0:
            read_fields(reader, strict)
            return body
        body += reader.take(size)
        if strict and reader.take(2) != b"\r\n":
            raise Unframable("no CRLF behind a chunk")
        if not strict:
            reader.line(strict)


class App:
    """Answers every request with what it took it for: `POST /x 3`."""

    def __init__(self):
        self.mode = "strict"
        self.script = None   # bytes to answer a request for /case with
        self.script_ends = False  # whether the connection ends behind them
        self.requests = []   # (method, target, length of the body) in the order they were read
        self.bytes = 0       # that reached us at all
        self.complaints = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def begin(self, mode="strict", script=None, script_ends=False):
        self.mode, self.script, self.script_ends = mode, script, script_ends
        self.requests, self.complaints, self.bytes = [], [], 0

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(connection)
        try:
            with connection:
                while self._one(connection, reader):
                    pass
        except (EOFError, OSError):
            pass

    def _one(self, connection, reader):
        if not reader.data:
            reader.more()
        self.bytes += len(reader.data)
        try:
            method, target, body = read_request(reader, self.mode)
        except Unframable as problem:
            self.complaints.append(str(problem))
            return False
        self.requests.append((method, target, len(body)))
        if target.startswith("/case") and self.script is not None:
            connection.sendall(self.script)
            return not self.script_ends
        text = f"{method} {target} {len(body)}".encode("latin-1")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (
            len(text), b"" if method == "HEAD" else text))
        return True

    def close(self):
        self.listener.close()
