"""A peer of the wire that says whatever a test wants it to: docs/wire-protocol.md."""
import socket
import ssl
import struct
import time

HELLO, WELCOME, STATS, HISTORY, HISTORY_END, POKE, READY = 1, 2, 3, 4, 5, 6, 7
DRAINED, PING, PONG, ERROR, CHECKPOINT, WOKEN = 11, 14, 15, 17, 18, 19
SIDECAR, ACTIVATOR = 1, 2
SERVER_NAME = "pilotlight-autoscaler"


def text(value):
    data = value.encode()
    return struct.pack("<H", len(data)) + data


def frame(kind, payload):
    return struct.pack("<IBBH", len(payload), kind, 0, 0) + payload


def hello(role=SIDECAR, space="", revision="", replica="", address="", epoch=1, token=""):
    return frame(HELLO, b"PLTW" + struct.pack("<HHQB", 1, 1, 0, role) + text(space) +
                 text(revision) + text(replica) + text(address) + struct.pack("<Q", epoch) +
                 text(token))


def ready(epoch, capacity=4):
    return frame(READY, struct.pack("<QIBQQ", epoch, capacity, 0, 1000, 2000))


def _load(space, revision, epoch, requests):
    """So many requests, that nobody has sent on, at each moment since the sender's start."""
    now = time.monotonic_ns() // 1000
    counters = now, requests * now, 0, now // 1000, 0, now // 1000, requests * now
    return text(space) + text(revision) + struct.pack("<8Q4IQ8Q", epoch, *counters, requests, 0, 0,
                                                      0, 0, *[0] * 8)


def stats(space, revision, epoch, requests):
    return frame(STATS, _load(space, revision, epoch, requests))


def history(space, revision, epoch, requests):
    """The same of three seconds before."""
    seconds = b"".join(struct.pack("<H5Q", age, requests * 1_000_000, 0, 0, 0, 0)
                       for age in (1, 2, 3))
    return frame(HISTORY, _load(space, revision, epoch, requests) + struct.pack("<H", 3) +
                 seconds) + frame(HISTORY_END, struct.pack("<Q", epoch))


def poke(space, revision, parked=9):
    return frame(POKE, text(space) + text(revision) + struct.pack("<IQ", parked, 1000))


def woken(space, revision):
    return frame(WOKEN, text(space) + text(revision) + struct.pack("<BBQ", 1, 0, 1000))


def drained(space, revision, replica, epoch):
    return frame(DRAINED, text(space) + text(revision) + text(replica) + struct.pack("<Q", epoch))


def checkpoint(space, revision, replicas=9):
    """That revision has been in panic with so many replicas until now."""
    return frame(CHECKPOINT, text(space) + text(revision) + struct.pack(
        "<4QIB5QH", 1, 1000, 0, 0, replicas, 1, 0, 0, 0, 0, 0, 0))


class WirePeer:
    """One connection; with `ca` (PEM) over TLS."""

    def __init__(self, server, ca=None):
        self.socket = socket.create_connection(server, timeout=5)
        self.certificate = None
        if ca is not None:
            context = ssl.create_default_context(cadata=ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            self.socket = context.wrap_socket(self.socket, server_hostname=SERVER_NAME)
            self.certificate = self.socket.getpeercert(binary_form=True)
        self.bytes = b""

    def say(self, *frames):
        self.socket.sendall(b"".join(frames))
        return self

    def hear(self):
        """The type and payload of the next frame, PINGs left out; none when the connection has
        ended."""
        kind = PING
        while kind == PING:
            kind, payload = self._next()
        return kind, payload

    def _next(self):
        try:
            while len(self.bytes) < 8 or len(self.bytes) < 8 + self._length():
                more = self.socket.recv(65536)
                if not more:
                    return None, b""
                self.bytes += more
        except ConnectionResetError:
            return None, b""
        size = 8 + self._length()
        kind, payload = self.bytes[4], self.bytes[8:size]
        self.bytes = self.bytes[size:]
        return kind, payload

    def is_heard(self):
        """Whether all that was said has been read, and the connection is still there."""
        try:
            self.say(frame(PING, struct.pack("<Q", 1)))
            kind = None
            while kind != PONG:
                kind, _ = self.hear()
                if kind in (None, ERROR):
                    return False
        except OSError:
            return False
        return True

    def _length(self):
        return struct.unpack_from("<I", self.bytes)[0]

    def close(self):
        self.socket.close()


def error_of(payload):
    """The code and text of an ERROR."""
    code, size = struct.unpack_from("<HH", payload)
    return code, payload[4:4 + size].decode()
