"""How a sidecar that runs alone ends: drains, hooks, signals."""
import signal
import socket
import time

from harness import wait_for
from http1 import ask_now
from sidecar_fixtures import app, in_background, start


def test_a_hook_without_a_signal_is_called_off_after_a_second(start):
    sidecar = start()
    for _ in range(5):  # probes may fail for that second only: it can pass between two of them
        thread, result = in_background(
            lambda: ask_now(sidecar.admin, "iris", "/wait-for-drain", method="POST"))
        failed = wait_for("probes to fail or the hook to end", lambda: (
            answer := sidecar.probe()).status == 503 and answer or not thread.is_alive())
        if failed is not True:
            break
    assert failed is not True, "no probe failed during a hook"
    assert failed.body == b"shutting down\n"
    assert sidecar.ask().status == 200, "users are still served"
    thread.join(30)
    assert (result[0].status, result[0].body) == (200, b"")
    assert sidecar.probe().status == 200, "probes recover"


def test_a_signal_drains_what_runs_and_what_still_comes(start):
    sidecar = start()
    begun = time.monotonic()
    running, result = in_background(lambda: sidecar.ask("/?sleep=1000"))
    time.sleep(0.2)
    sidecar.signal()
    hook, hooked = in_background(lambda: ask_now(sidecar.admin, "iris", "/wait-for-drain", 60))
    wait_for("probes to fail", lambda: sidecar.probe().status == 503)
    for headers in ({"K-Network-Probe": "probe", "K-Network-Hash": "h"}, {"K-Network-Probe": "probe"},
                    {"User-Agent": "Knative-Activator-Probe", "K-Network-Probe": "queue"}):
        ended = sidecar.ask(headers=headers)
        assert (ended.status, ended.body) == (503, b"shutting down\n")
    asked = time.monotonic()
    assert sidecar.ask().status == 200
    answered = time.monotonic()
    running.join(10)
    assert result[0].status == 200
    assert sidecar.wait(45) == 0
    ended = time.monotonic()
    assert asked + 30 <= ended < answered + 34, "30 quiet seconds after the last user request"
    hook.join(5)
    assert hooked and hooked[0].status == 200
    assert time.monotonic() - begun < 40


def test_a_second_signal_ends_it_at_once_with_one(start):
    sidecar = start()
    in_background(lambda: sidecar.ask("/?sleep=5000"))
    time.sleep(0.2)
    sidecar.signal()
    wait_for("the drain", lambda: sidecar.probe().status == 503)
    sidecar.signal(signal.SIGINT)
    assert sidecar.wait(15) == 1


def test_a_second_signal_does_not_wait_for_a_client_that_stays(start):
    sidecar = start()
    with socket.create_connection(sidecar.main, 10) as stays:
        stays.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert stays.recv(65536).startswith(b"HTTP/1.1 400 ")
        sidecar.signal()
        sidecar.signal(signal.SIGINT)
        assert sidecar.wait(15) == 1


def test_a_second_signal_does_not_wait_for_an_app_that_computes_for_nobody(start):
    sidecar = start(PILOTLIGHT_HOLD_PERMIT="until-answered")
    with socket.create_connection(sidecar.main, 10) as leaves:
        leaves.sendall(b"GET /?sleep=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
    time.sleep(0.2)
    sidecar.signal()
    sidecar.signal(signal.SIGINT)
    assert sidecar.wait(15) == 1
