"""Requests of all shapes through the whole path: what the app sees and what the client gets."""
import asyncio
import json
import socket

import pytest

from harness import echo_service
from http1 import Connection, ask


@pytest.fixture
def up(start):
    running = start(echo_service(initial_scale="1", min_scale="1", max_scale="1", window="6s"))
    assert running.ask().status == 200
    return running


def test_bodies_of_all_sizes_arrive_whole(up):
    address, host = up.address(), up.host()
    for size in (0, 1, 1000, 64 * 1024 - 1, 64 * 1024 + 1, 8 << 20):
        response = asyncio.run(ask(address, host, "/", method="POST", body=b"x" * size))
        assert response.status == 200
        assert json.loads(response.body)["body_bytes"] == size
        big = asyncio.run(ask(address, host, f"/?bytes={size}"))
        assert len(big.body) == size


def test_many_requests_on_one_connection(up):
    async def on_one_connection():
        connection = await Connection(up_address).open()
        for index in range(200):
            response = await connection.ask(up_host, f"/?bytes={index}")
            assert (response.status, len(response.body)) == (200, index)
        connection.close()
    up_address, up_host = up.address(), up.host()
    asyncio.run(on_one_connection())


# Sends a chunk, and the next once it is told that this one was read.
STEPPING = """
import http.server, os, threading

read = threading.Semaphore(0)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        if self.path == "/read":
            read.release()
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(4):
            self.wfile.write(b"1\\r\\n%d\\r\\n" % number)
            read.acquire()
        self.wfile.write(b"0\\r\\n\\r\\n")

server = http.server.ThreadingHTTPServer
server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_chunks_pass_as_they_come(start):
    async def one_by_one():
        connection = await Connection(address).open()
        await connection.send(host)
        status, headers = await connection._head()
        assert status == 200 and headers["transfer-encoding"] == "chunked"
        chunks = []
        async for chunk in connection.chunks():
            chunks.append(chunk)
            assert (await ask(address, host, "/read")).status == 200
        connection.close()
        return chunks
    up = start(echo_service(command=("/usr/bin/python3", "-c"), args=(STEPPING,), initial_scale="1",
                            min_scale="1", max_scale="1", window="6s"))
    address, host = up.address(), up.host()
    chunks = asyncio.run(asyncio.wait_for(one_by_one(), 60))
    assert chunks == [b"0", b"1", b"2", b"3"]


def test_a_chunked_request_body(up):
    async def send_chunked():
        connection = await Connection(address).open()
        connection.writer.write(f"POST /c HTTP/1.1\r\nHost: {host}\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(3):
            connection.writer.write(b"5\r\nhello\r\n")
            await connection.writer.drain()
            await asyncio.sleep(0.01)
        connection.writer.write(b"0\r\n\r\n")
        response = await connection.receive()
        connection.close()
        return response
    address, host = up.address(), up.host()
    assert json.loads(asyncio.run(send_chunked()).body)["body_bytes"] == 15


def test_an_http_1_0_client_is_served(up):
    with socket.create_connection(up.address(), timeout=30) as client:
        client.sendall(f"GET /?bytes=5 HTTP/1.0\r\nHost: {up.host()}\r\n\r\n".encode())
        answer = b""
        while part := client.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0]
    assert b"chunked" not in head.lower()
    assert len(body) == 5


def test_what_belongs_to_our_hops_is_not_for_apps_or_clients(up):
    response = up.ask("/?headers=1", headers={
        "Pilotlight-Hop": "forged", "Connection": "close, X-Mine", "X-Mine": "1",
        "X-Kept": "yes"})
    seen = {name.lower(): value
            for name, value in json.loads(response.body)["headers"].items()}
    assert seen["x-kept"] == "yes"
    assert "x-mine" not in seen and "pilotlight-hop" not in seen
    assert not [name for name in response.headers if name.startswith("pilotlight-")]
    assert seen["host"].split(":")[0] == up.host()


def test_a_head_that_is_no_http_gets_400(up):
    with socket.create_connection(up.address(), timeout=30) as client:
        client.sendall(b"NOT HTTP AT ALL\r\n\r\n")
        assert b" 400 " in client.recv(65536).split(b"\r\n")[0]
    assert up.ask().status == 200


def test_probes_are_answered_and_never_wake(start):
    up = start(echo_service("dozing", initial_scale="0", window="6s"))
    up.wait_asleep("dozing")
    response = up.ask("/", name="dozing", headers={
        "User-Agent": "Knative-Ingress-Probe", "K-Network-Probe": "activator"})
    assert response.status == 200
    assert response.body == b"activator"
    up.wait_wakes(0, "dozing")
