"""What the tests of a sidecar that runs alone get: an app, and a way to start sidecars before it.

A test file imports `app` and `start` to have them; its `start` then hides that of conftest.py.
"""
import threading

import pytest

from sidecar import App, Sidecar, read_to_end


@pytest.fixture
def app():
    app = App()
    yield app
    app.stop()


@pytest.fixture
def start(app):
    """start(NAME=value, ...) -> a Sidecar in front of the app, ready."""
    started = []

    def start_sidecar(ready=True, user_port=None, **changes):
        sidecar = Sidecar(user_port or app.port, **changes)
        started.append(sidecar)
        return sidecar.wait_ready() if ready else sidecar

    yield start_sidecar
    for sidecar in started:
        sidecar.stop()


class Held:
    """A request that runs, here and in the app, until finish() sends the rest of its body."""

    def __init__(self, sidecar, path="/", headers=b""):
        self.connection = sidecar.connect(timeout=30)
        self.connection.sendall(b"POST " + path.encode() + b" HTTP/1.1\r\nHost: iris\r\n" + headers +
                                b"Connection: close\r\nContent-Length: 2\r\n\r\na")

    def finish(self):
        """@return the status of its answer."""
        with self.connection as connection:
            connection.sendall(b"b")
            return int(read_to_end(connection).split(b" ", 2)[1])


def in_background(call):
    """Runs it on a thread; the result is in the returned list when it has ended."""
    result = []
    thread = threading.Thread(target=lambda: result.append(call()), daemon=True)
    thread.start()
    return thread, result
