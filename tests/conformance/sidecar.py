"""pilotlight-proxy alone, in front of an app that the test plays: how it is started and seen."""
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time

BIN = pathlib.Path(os.environ.get("PILOTLIGHT_BIN", "build/release/bin")).resolve()


def wait_for(what, condition, seconds=10, every=0.02):
    """Polls until `condition()` is true, and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(every)


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, 0))
        return probe.getsockname()[1]


def own_address():
    """A loopback address that no other test of this machine uses: its low bytes are our pid."""
    pid = os.getpid()
    return f"127.{100 + (pid >> 16) % 100}.{pid >> 8 & 255}.{pid & 255}"


class Sidecar:
    """One pilotlight-proxy with Knative's environment (knative.md 6.1) and ports of its own."""

    def __init__(self, user_port, concurrency=0, timeout_seconds=30, env=None):
        self.address = own_address()
        ports = [free_port(self.address) for _ in range(4)]
        self.serving, self.admin, self.stats = [(self.address, port) for port in ports[:3]]
        environment = {
            "CONTAINER_CONCURRENCY": str(concurrency),
            "QUEUE_SERVING_PORT": str(ports[0]),
            "QUEUE_SERVING_TLS_PORT": str(ports[3]),
            "USER_PORT": str(user_port),
            "REVISION_TIMEOUT_SECONDS": str(timeout_seconds),
            "SERVING_LOGGING_CONFIG": "",
            "SERVING_LOGGING_LEVEL": "",
            "SERVING_NAMESPACE": "default",
            "SERVING_CONFIGURATION": "app",
            "SERVING_REVISION": "app-00001",
            "SERVING_POD": "app-00001-0",
            "SERVING_POD_IP": self.address,
            "SERVING_READINESS_PROBE":
                '{"tcpSocket":{"port":%d,"host":"127.0.0.1"},"successThreshold":1}' % user_port,
            "PILOTLIGHT_LISTEN_ADDRESS": self.address,
            "PILOTLIGHT_ADMIN_LISTEN": f"{self.address}:{ports[1]}",
            "PILOTLIGHT_STATS_LISTEN": f"{self.address}:{ports[2]}",
            **(env or {}),
        }
        self.process = subprocess.Popen([BIN / "pilotlight-proxy"], env=environment,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for("the sidecar to listen", self._listening)

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def _listening(self):
        assert self.process.poll() is None, "".join(self.lines)
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def connect(self, timeout=10):
        connection = socket.create_connection(self.serving, timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, request=b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", timeout=10):
        """What comes back until the connection ends."""
        with self.connect(timeout) as connection:
            connection.sendall(request)
            return read_to_end(connection)

    def probe(self, timeout=15):
        """The status that kubelet would see; None when it has seen none by then: an app that is down
        is waited for, 10 s at most."""
        try:
            answer = self.ask(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1.30\r\n"
                              b"K-Network-Probe: queue\r\nConnection: close\r\n\r\n", timeout)
        except TimeoutError:
            return None
        return int(answer.split(b" ", 2)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def load(self):
        """The Knative Stat of the last second: {field number: value}."""
        with socket.create_connection(self.stats, 10) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return decode_stat(read_to_end(connection).partition(b"\r\n\r\n")[2])

    def stop(self):
        """Ends it now, by a second signal; kills it if that does not help."""
        end = time.monotonic() + 5
        while self.process.poll() is None and time.monotonic() < end:
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stderr.close()
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
