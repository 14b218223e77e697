"""A peer of the wire that says whatever a test wants it to: docs/wire-protocol.md."""
import socket
import ssl
import struct

HELLO, WELCOME, STATS, POKE, READY, ERROR = 1, 2, 3, 6, 7, 17
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


def poke(space, revision, parked=9):
    return frame(POKE, text(space) + text(revision) + struct.pack("<IQ", parked, 1000))


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
        """The type and payload of the next frame; none when the connection has ended."""
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

    def _length(self):
        return struct.unpack_from("<I", self.bytes)[0]

    def close(self):
        self.socket.close()


def error_of(payload):
    """The code and text of an ERROR."""
    code, size = struct.unpack_from("<HH", payload)
    return code, payload[4:4 + size].decode()
