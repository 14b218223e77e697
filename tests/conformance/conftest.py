"""Fixtures around a sidecar that runs alone."""
import pathlib
import sys

import pytest

# What starting a program needs is there; modules of this folder come first.
sys.path.append(str(pathlib.Path(__file__).parents[1] / "integration"))

from lax import App
from sidecar import Sidecar


@pytest.fixture(scope="module")
def app():
    app = App()
    yield app
    app.close()


@pytest.fixture(scope="module")
def sidecar(app):
    """One sidecar in front of `app`; every test of the file leaves it as it was."""
    sidecar = Sidecar(app.port, free_ports=True, CONTAINER_CONCURRENCY="1")
    yield sidecar
    sidecar.end()
