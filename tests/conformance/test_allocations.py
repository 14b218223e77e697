"""Once warm, the sidecar allocates nothing for a request: counted in the real program, by a
preloaded library that sees every malloc (count_allocations.cc).

That holds for a few requests at once. Asio keeps 64 coroutine frames of those that have ended
(BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE), and one request has about eight: with 64 requests in
lock-step the frames beyond that go back to malloc and cost 6.5 allocations a request.
"""
import os
import pathlib
import struct

import pytest

from held_app import HeldApp
from harness import BIN
from sidecar import Sidecar, read_until

COUNTER = pathlib.Path(os.environ.get(
    "PILOTLIGHT_ALLOCATION_COUNTER", BIN.parent / "tests/conformance/libcount_allocations.so"))
WARM_UP, REQUESTS, AT_ONCE = 20_000, 10_000, 4
HEAD = (b"POST /v2/models/iris/infer HTTP/1.1\r\nHost: iris.default.example.com\r\n"
        b"Content-Type: application/json\r\nContent-Length: 86\r\n\r\n")
BODY = b"{" * 86
SHAPES = {
    "get": (b"GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\n\r\n", b"/x"),
    "post": (HEAD + BODY, b"/infer"),
    "upload": ((HEAD, BODY), b"/infer"),
    "hop": (b"POST /v2/models/iris/infer HTTP/1.1\r\nHost: 10.0.0.1:8012\r\nPilotlight-Hop: 1\r\n"
            b"K-Original-Host: iris.default.example.com\r\nK-Proxy-Request: activator\r\n"
            b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n"
            b"Content-Length: 86\r\n\r\n" + BODY, b"/infer"),
}


class Counted:
    def __init__(self, folder, concurrency):
        self.file = folder / "allocations"
        self.app = HeldApp()
        self.sidecar = Sidecar(
            self.app.port, free_ports=True, CONTAINER_CONCURRENCY=str(concurrency),
            LD_PRELOAD=str(COUNTER), PILOTLIGHT_ALLOCATIONS=str(self.file),
            PILOTLIGHT_LOG_LEVEL="error")

    def allocations(self):
        return struct.unpack("QQ", self.file.read_bytes())[0]

    def trace(self, on):
        with self.file.open("r+b") as file:
            file.seek(8)
            file.write(struct.pack("Q", on))

    def stop(self):
        self.sidecar.end()
        self.app.close()


def exchange(connections, request, end, rounds):
    """All send, then all read. Of two parts the second goes once the first is on its way."""
    parts = request if isinstance(request, tuple) else (request,)
    for _ in range(rounds):
        for part in parts:
            for connection in connections:
                connection.sendall(part)
        for connection in connections:
            assert read_until(connection, end).startswith(b"HTTP/1.1 200 ")


# Half of them wait in the queue with two permits. Hops never do: beyond the limit they are refused.
CASES = [(shape, 0) for shape in SHAPES] + [(shape, 2) for shape in SHAPES if shape != "hop"]


@pytest.mark.parametrize("shape, concurrency", CASES)
def test_a_warm_request_allocates_nothing(tmp_path, shape, concurrency):
    assert COUNTER.exists(), "build the target count_allocations"
    counted = Counted(tmp_path, concurrency)
    try:
        assert counted.allocations() > 100, "the counter counts"
        connections = [counted.sidecar.connect() for _ in range(AT_ONCE)]
        exchange(connections, *SHAPES[shape], rounds=WARM_UP // AT_ONCE)
        if os.environ.get("PILOTLIGHT_TRACE_ALLOCATIONS"):
            counted.trace(1)
        # What a request allocates shows 10,000 times, in every round. Asio's cache of coroutine
        # frames still grows by a frame now and then, whenever more of one size are needed at once
        # than ever before; that ends.
        spent = []
        while len(spent) < 3 and not (spent and spent[-1] <= REQUESTS // 1000):
            before = counted.allocations()
            exchange(connections, *SHAPES[shape], rounds=REQUESTS // AT_ONCE)
            spent.append(counted.allocations() - before)
        counted.trace(0)
        print(counted.sidecar.output)
        assert spent[-1] <= REQUESTS // 1000, f"{spent} for {REQUESTS} requests each"
    finally:
        counted.stop()
