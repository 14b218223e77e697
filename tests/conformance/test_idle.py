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


def wakes_at_rest(sidecar):
    """Over how many seconds, and how many."""
    before = wakes(sidecar.pid)
    begun = time.monotonic()
    time.sleep(SECONDS)
    return time.monotonic() - begun, wakes(sidecar.pid) - before


def test_an_idle_sidecar_wakes_once_a_second_and_no_more(sidecar):
    time.sleep(1)  # behind the first lines of its log
    seconds, count = wakes_at_rest(sidecar)
    assert count <= seconds + 1, f"{count} wake-ups in {seconds:.1f} s"


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
        before = autoscaler.heard.count(Autoscaler.STATS)
        seconds, count = wakes_at_rest(sidecar)
        reports = autoscaler.heard.count(Autoscaler.STATS) - before
        assert seconds - 2 <= reports <= seconds + 1, f"{reports} reports in {seconds:.1f} s"
        # Its report, the look whether the peer still speaks, and the peer's answer.
        assert count <= 3 * (seconds + 1), f"{count} wake-ups in {seconds:.1f} s"
    finally:
        sidecar.end()
