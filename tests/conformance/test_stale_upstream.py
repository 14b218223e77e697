"""Apps that close idle connections, die and come back: what a client sees of it."""
import contextlib
import json
import random
import threading
import time

import pytest

from held_app import HeldApp
from harness import wait_for
from sidecar import Sidecar, read_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Burst:
    """Requests that run at once, each on a client connection of its own that stays open: so the
    sidecar uses as many connections to the app, all as old as the last burst."""

    def __init__(self, sidecar, app, width):
        self.app = app
        self.connections = [sidecar.connect() for _ in range(width)]
        self.statuses = []

    def run(self, seconds=0.3):
        """Answered once all have reached the app, or after `seconds`: those that failed do not."""
        self.app.hold()
        for connection in self.connections:
            connection.sendall(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(AssertionError):
            wait_for("all to run", lambda: self.app.running == len(self.connections), seconds)
        self.app.release()
        for connection in self.connections:
            head, _, body = read_until(connection, b"\r\n\r\n").partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 "), "a client was left without an answer"
            status = int(head.split(b" ", 2)[1])
            self.statuses.append(status)
            if status == 200 and body != b"/gate":
                assert read_until(connection, b"/gate") == b"/gate"[len(body):]

    def close(self):
        for connection in self.connections:
            connection.close()


# (the app's idle timeout, requests at once, pauses between bursts): 10,000 requests in all, whose
# pauses lie densest around what could go wrong: the app's timeout and half of it.
AGES = (
    (1, 250, [0.49, 0.51, 0.98, 0.995, 1.0, 1.002, 1.01, 1.05] + [0.06 * n for n in range(12)]),
    (2, 250, [0.98, 1.0, 1.02, 1.98, 1.995, 2.0, 2.002, 2.01] + [0.2 * n for n in range(4)]),
    (5, 400, [0.0, 2.49, 2.52, 4.0, 4.995, 5.0]),
)


def through_all_ages(timeout, width, pauses, failures):
    app = HeldApp()
    app.idle_seconds = timeout
    sidecar = Sidecar(app.port, free_ports=True, PILOTLIGHT_LOG_LEVEL="error")
    burst = Burst(sidecar, app, width)
    try:
        for _ in range(2):  # one look at the closes may be late, and the shortest counts
            burst.run(seconds=30)
            wait_for("the app to close what idles", lambda: not app.connections)
            time.sleep(max(0, 4.2 - timeout))  # nobody looks at the closed ones before they are old
        assert set(burst.statuses) == {200}, "nothing had idled yet"
        assert app.idle_closes > width, "the sidecar closed them"
        shuffled = list(pauses)
        random.Random(timeout).shuffle(shuffled)
        for pause in shuffled:
            time.sleep(pause)  # the age of every connection in this burst
            burst.run()
        bad = [status for status in burst.statuses if status != 200]
        if bad:
            failures.append(f"{timeout} s: {len(bad)} of {len(burst.statuses)}: {set(bad)}")
        if len(burst.statuses) != width * (len(pauses) + 2):
            failures.append(f"{timeout} s: requests are missing")
    except BaseException as problem:
        failures.append(f"{timeout} s: {problem!r}")
    finally:
        burst.close()
        sidecar.stop()
        app.close()


def test_once_seen_an_idle_close_costs_nobody_a_request():
    assert sum(width * len(pauses) for _, width, pauses in AGES) >= 10_000
    failures = []
    threads = [threading.Thread(target=through_all_ages, args=(*case, failures)) for case in AGES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_before_it_only_what_the_app_took_can_fail():
    """Requests at the very moment of the first close, again and again: the sidecar sends again what
    the app's kernel never acknowledged, so an answer of 502 needs a request that it did."""
    statuses = []
    for _ in range(12):
        with contextlib.closing(HeldApp()) as app:
            app.idle_seconds = 0.3
            sidecar = Sidecar(app.port, free_ports=True, PILOTLIGHT_LOG_LEVEL="error")
            burst = Burst(sidecar, app, 50)
            try:
                burst.run(seconds=30)
                time.sleep(0.3 - 0.004 + 0.001 * random.random())
                burst.run()
                statuses += burst.statuses[50:]
                # Whatever failed was in the app's hands: each 502 is a connection that the app
                # closed without having read its request, and no request ran twice.
                lost = burst.statuses.count(502)
                assert app.requests + lost == 100
                # How many those are is up to how late the app closes; one more may come as it does.
                assert lost <= app.unread_closes + 1
            finally:
                burst.close()
                sidecar.stop()
    assert set(statuses) <= {200, 502}


@pytest.fixture
def restarting(request):
    """(sidecar with one permit, a way to stop its app, a way to start it again), by what it does
    while the app is down and by its timeout in seconds"""
    app_down, timeout = request.param
    app = HeldApp()
    apps = [app]
    # With a period a probe is one try; without, it waits for the app as Knative's does.
    probe = {"tcpSocket": {"port": app.port, "host": "127.0.0.1"}, "periodSeconds": 1}
    sidecar = Sidecar(app.port, free_ports=True, CONTAINER_CONCURRENCY="1",
                      REVISION_TIMEOUT_SECONDS=timeout, PILOTLIGHT_APP_DOWN=app_down,
                      PILOTLIGHT_LOG_LEVEL="error", SERVING_READINESS_PROBE=json.dumps(probe))
    wait_for("readiness", lambda: sidecar.probe().status == 200)

    def start():
        apps.append(HeldApp(app.port))

    yield sidecar, app.close, start
    sidecar.stop()
    apps[-1].close()


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


CLOSE = GET[:-2] + b"Connection: close\r\n\r\n"
HOP = GET[:-2] + b"Pilotlight-Hop: 1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("restarting", [("refuse", "20")], indirect=True)
def test_an_app_that_is_down_is_502_at_once(restarting):
    sidecar, stop, start = restarting
    stop()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        begun = time.monotonic()
        assert status_of(sidecar.ask_raw(CLOSE)) == 502
        assert b"Pilotlight-Not-Started: not-ready\r\n" in sidecar.ask_raw(HOP)
        assert sidecar.probe().status == 503, "the probe tells the truth"
        assert time.monotonic() - begun < 5
        time.sleep(0.1)
    start()
    wait_for("readiness", lambda: sidecar.probe().status == 200)
    wait_for("hops to be taken", lambda: status_of(sidecar.ask_raw(HOP)) == 200)
    for _ in range(20):
        assert status_of(sidecar.ask_raw(CLOSE)) == 200


@pytest.mark.parametrize("restarting", [("wait", "20")], indirect=True)
def test_by_configuration_requests_wait_for_the_app(restarting):
    sidecar, stop, start = restarting
    stop()
    answers = []

    def ask():
        answers.append((status_of(sidecar.ask_raw(CLOSE, timeout=30)), time.monotonic()))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert sidecar.probe().status == 503
        assert b"Pilotlight-Not-Started: not-ready\r\n" in sidecar.ask_raw(HOP), "a hop goes elsewhere"
        assert not answers
        time.sleep(0.1)
    begun = time.monotonic()
    start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200] * 8
    assert max(when for _, when in answers) - begun < 5
    assert sidecar.probe().status == 200


@pytest.mark.parametrize("restarting", [("wait", "4")], indirect=True)
def test_a_wait_for_the_app_ends_with_the_deadline_and_with_the_client(restarting):
    sidecar, stop, start = restarting
    stop()
    with sidecar.connect() as leaver:
        leaver.sendall(CLOSE)
        time.sleep(0.2)
    begun = time.monotonic()
    assert status_of(sidecar.ask_raw(CLOSE, timeout=30)) == 504
    assert 3.5 < time.monotonic() - begun < 10
    start()
    wait_for("the app and the permit", lambda: status_of(sidecar.ask_raw(HOP)) == 200)
