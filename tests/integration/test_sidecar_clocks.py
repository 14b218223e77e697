"""The clocks of a request as the environment sets them, in the running program. What they measure,
to the millisecond, is in tests/proxy/clocks_test.cc."""
import time

from sidecar_fixtures import app, start

WHOLE = b"\r\n0\r\n\r\n"  # how a chunked message ends


def stream(chunks, every_ms):
    return (f"GET /?chunks={chunks}&every={every_ms} HTTP/1.1\r\nHost: a\r\n"
            "Connection: close\r\n\r\n").encode()


def test_the_response_start_timeout_ends_what_has_not_begun(start):
    sidecar = start(REVISION_RESPONSE_START_TIMEOUT_SECONDS="6")
    begun = time.monotonic()
    late = sidecar.ask("/?sleep=20000")
    assert (late.status, late.body) == (504, b"request timeout")
    assert 5.9 < time.monotonic() - begun < 18
    long = sidecar.ask_raw(stream(4, 2000))
    assert long.startswith(b"HTTP/1.1 200 ") and long.endswith(WHOLE), "it had begun in time"


def test_the_idle_timeout_ends_what_no_longer_moves(start):
    sidecar = start(REVISION_IDLE_TIMEOUT_SECONDS="6")
    begun = time.monotonic()
    late = sidecar.ask("/?sleep=20000")
    assert (late.status, late.body) == (504, b"request timeout")
    assert 5.9 < time.monotonic() - begun < 18
    moves = sidecar.ask_raw(stream(14, 500))
    assert moves.startswith(b"HTTP/1.1 200 ") and moves.endswith(WHOLE), "it moved all the time"
    begun = time.monotonic()
    rests = sidecar.ask_raw(stream(2, 20000), timeout=30)
    assert 5.9 < time.monotonic() - begun < 18
    assert rests.startswith(b"HTTP/1.1 200 ") and b"chunk " in rests
    assert not rests.endswith(WHOLE) and b"request timeout" not in rests, "no part passes for the whole"
