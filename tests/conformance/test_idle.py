"""What a sidecar costs that has nothing to do."""
import pathlib
import socket
import struct
import threading
import time

from sidecar import Sidecar

SECONDS = 31  # what comes every ten seconds shows


def wakes(pid):
    """How often its threads have gone to sleep and been woken."""
    total = 0
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


class Window:
    """What happened while nobody wanted anything."""

    def __init__(self, sidecar, reports=lambda: 0):
        before = wakes(sidecar.pid), reports()
        begun = time.monotonic()
        time.sleep(SECONDS)
        self.seconds = time.monotonic() - begun
        self.wakes, self.reports = wakes(sidecar.pid) - before[0], reports() - before[1]

    def __repr__(self):
        return f"{self.wakes} wake-ups, {self.reports} reports in {self.seconds:.1f} s"


def assert_fits(fits, *arguments):
    """In one window of three: what the sidecar does of its own accord shows in each of them."""
    windows = []
    while len(windows) < 3 and not (windows and fits(windows[-1])):
        windows.append(Window(*arguments))
    assert fits(windows[-1]), windows


def test_an_idle_sidecar_wakes_once_a_second_and_no_more(sidecar):
    time.sleep(1)  # behind the first lines of its log
    assert_fits(lambda window: window.wakes <= window.seconds + 1, sidecar)


class Autoscaler(threading.Thread):
    """Welcomes one sidecar, asks for a report every 250 ms, and answers its PINGs: what the
    autoscaler does of its own accord. docs/wire-protocol.md."""
    HELLO, WELCOME, STATS, PING, PONG = 1, 2, 3, 14, 15

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.server.getsockname()[1]
        self.heard = []  # types of frames
        self.start()

    def run(self):
        connection, _ = self.server.accept()
        with connection, connection.makefile("rb") as stream:
            while len(head := stream.read(8)) == 8:
                size, kind = struct.unpack_from("<IB", head)
                payload = stream.read(size)
                self.heard.append(kind)
                if kind == self.HELLO:
                    connection.sendall(self.frame(self.WELCOME, struct.pack("<HQIQ", 1, 0, 250, 7)))
                elif kind == self.PING:
                    connection.sendall(self.frame(self.PONG, payload))

    @staticmethod
    def frame(kind, payload):
        return struct.pack("<IBBH", len(payload), kind, 0, 0) + payload


def test_connected_to_the_autoscaler_nothing_makes_it_wake_more_often(app):
    autoscaler = Autoscaler()
    sidecar = Sidecar(app.port, free_ports=True, PILOTLIGHT_AUTOSCALER=autoscaler.address)
    try:
        sidecar.wait_ready()
        time.sleep(2)
        # Its report, the look whether the peer still speaks, and the peer's answer.
        assert_fits(lambda window: window.seconds - 2 <= window.reports <= window.seconds + 1
                    and window.wakes <= 3 * (window.seconds + 1),
                    sidecar, lambda: autoscaler.heard.count(Autoscaler.STATS))
    finally:
        sidecar.end()
