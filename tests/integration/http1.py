"""A small HTTP/1.1 client that shows what the wire showed: no retries, no pooling of its own.

The tests count requests; a client that silently sends one again would hide a loss.
"""
import asyncio
import dataclasses


@dataclasses.dataclass
class Response:
    status: int
    headers: dict  # names in lower case
    body: bytes


class Connection:
    """One connection; requests one after another. Raises OSError or EOFError when it breaks."""

    def __init__(self, address):
        self.address = address  # (host, port)
        self.reader = None
        self.writer = None

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(*self.address, limit=1 << 20)
        return self

    async def send(self, host, path="/", method="GET", headers=None, body=b""):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def receive(self):
        status = 100
        while 100 <= status < 200:
            status, headers = await self._head()
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join([chunk async for chunk in self.chunks()])
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif status in (204, 304):
            body = b""
        else:
            body = await self.reader.read()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Response(status, headers, body)

    async def _head(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.lower()] = value.strip()
        return int(first.split()[1]), headers

    async def chunks(self):
        while True:
            size = int((await self.reader.readline()).split(b";")[0], 16)
            data = await self.reader.readexactly(size + 2)
            if size == 0:
                return
            yield data[:-2]

    @property
    def is_open(self):
        return self.writer is not None and not self.writer.is_closing()

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    async def ask(self, host, path="/", **request):
        if not self.is_open:
            await self.open()
        await self.send(host, path, **request)
        return await self.receive()


async def ask(address, host, path="/", timeout=60, **request):
    """One request on a connection of its own."""
    connection = Connection(address)
    try:
        return await asyncio.wait_for(connection.ask(host, path, **request), timeout)
    finally:
        connection.close()


def ask_now(address, host, path="/", timeout=60, **request):
    return asyncio.run(ask(address, host, path, timeout, **request))
