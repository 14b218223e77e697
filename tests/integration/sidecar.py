"""pilotlight-proxy alone, as Knative's controller would start it: how it is started and seen."""
import contextlib
import itertools
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading

from harness import BIN, wait_for
from http1 import ask_now
from queue_proxy import environment, free_port, own_address

PROXY = BIN / "pilotlight-proxy"
ECHO = BIN / "echo-server"


class App:
    """One echo-server on a free port of loopback."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen([ECHO, "--port", str(self.port), "--address", "127.0.0.1"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Sidecar:
    """A running pilotlight-proxy on a loopback address of its own, with Knative's environment and
    its ports there; with `free_ports` on ports that nobody has, however many run at once. In the
    `changes` to its environment "{address}" is that address."""
    _count = itertools.count()

    def __init__(self, user_port, free_ports=False, wait=True, stdout=subprocess.PIPE, **changes):
        self.address = own_address(next(self._count))
        ports = [free_port(self.address) for _ in range(4)] if free_ports else [8012, 8112, 8022, 9090]
        self.main, self.tls, self.admin, self.stats = [(self.address, port) for port in ports]
        settings = {
            "QUEUE_SERVING_PORT": str(ports[0]), "QUEUE_SERVING_TLS_PORT": str(ports[1]),
            "PILOTLIGHT_ADMIN_LISTEN": f"{self.address}:{ports[2]}",
            "PILOTLIGHT_STATS_LISTEN": f"{self.address}:{ports[3]}"} if free_ports else {}
        settings.update({name: value and value.replace("{address}", self.address)
                         for name, value in changes.items()})
        self.process = subprocess.Popen(
            [PROXY], env=environment(user_port, self.address, **settings), text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
        self.log, self.lines = [], []  # standard error, standard output
        self._readers = [threading.Thread(target=self._collect, args=pair, daemon=True)
                         for pair in ((self.process.stderr, self.log),
                                      (self.process.stdout, self.lines)) if pair[0]]
        for reader in self._readers:
            reader.start()
        if wait:
            wait_for("the sidecar to listen", self._listens)

    @staticmethod
    def _collect(stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    def _listens(self):
        assert self.process.poll() is None, self.output
        with socket.socket() as probe:
            return probe.connect_ex(self.stats) == 0  # bound behind those for requests

    @property
    def output(self):
        """All it has written."""
        if self.process.poll() is not None:
            for reader in self._readers:
                reader.join(5)
        return "\n".join(self.log + self.lines)

    @property
    def pid(self):
        return self.process.pid

    def connect(self, timeout=10):
        connection = socket.create_connection(self.main, timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, path="/", host="iris", **request):
        return ask_now(self.main, host, path, **request)

    def ask_raw(self, request=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", timeout=10):
        """The bytes that come back until the connection ends."""
        with self.connect(timeout) as connection:
            connection.sendall(request)
            return read_to_end(connection)

    def probe(self, agent="kube-probe/1.30", target="queue", timeout=20):
        headers = {"User-Agent": agent, "K-Network-Probe": target}
        return ask_now(self.main, "iris", "/", timeout, headers=headers)

    def wait_ready(self):
        wait_for("a ready app", lambda: self.probe().status == 200)
        return self

    def metrics(self, port=9091):
        """{sample with its labels as written: value}"""
        text = ask_now((self.address, port), "iris", "/metrics").body.decode()
        return {name: float(value) for name, value in
                re.findall(r"^([^#\s]\S*) (\S+)$", text, re.M)}

    def load(self):
        """The Knative Stat of the last second: {field number: value}."""
        return decode_stat(ask_now(self.stats, "iris", "/metrics").body)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds):
        """Its exit code."""
        return self.process.wait(seconds)

    def end(self):
        """Ends it by a second signal, or by force if that does not help. Its exit code."""
        self.signal()
        self.signal(signal.SIGINT)  # and no third, which would kill it on its way out
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(30)
        return self.stop()

    def stop(self):
        """Ends it at once, and closes what it wrote to. Its exit code."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return self.process.returncode


def decode_stat(data):
    """The scalar fields of a protobuf message: strings, doubles and varints."""
    fields, at = {}, 0
    while at < len(data):
        key = data[at]
        at += 1
        if key & 7 == 1:
            fields[key >> 3] = struct.unpack_from("<d", data, at)[0]
            at += 8
        elif key & 7 == 2:
            fields[key >> 3] = data[at + 1:at + 1 + data[at]]
            at += 1 + data[at]
        else:
            raise AssertionError(f"field {key >> 3} has wire type {key & 7}")
    return fields


def read_to_end(connection):
    pieces = []
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def read_until(connection, wanted, limit=1 << 20):
    """Bytes up to and including `wanted`, or what came before the end."""
    data = b""
    while wanted not in data and len(data) < limit:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


def run_proxy(*arguments, env):
    """Runs it to its end."""
    return subprocess.run([PROXY, *arguments], env=env, capture_output=True, text=True, timeout=30)
