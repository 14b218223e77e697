"""Run by tests/cluster/run_node.sh inside the network of a real node, on which pilotlight is installed
once for all tests, with two activators and two autoscalers."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "examples/kubernetes")]

from app import OVERLAY, App, Stranger, install  # noqa: E402
import demo  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def installed():
    demo.load_images(pathlib.Path(os.environ["PILOTLIGHT_IMAGES"]),
                     os.environ["KRUN"] + "/containerd.sock")
    install(OVERLAY)


def used(request, made):
    """Lends it to a test; what the cluster knew of it when the test failed."""
    try:
        yield made
        if getattr(request.node, "failed", False):
            demo.show_trouble(made.space)
    finally:
        made.delete()


@pytest.fixture
def app(request):
    """An echo app behind a Service, asleep."""
    yield from used(request, App(**getattr(request, "param", {})))


@pytest.fixture
def stranger(request):
    """An echo app that runs without us, and what it would ask of us."""
    yield from used(request, Stranger(min_scale=2, max_scale=4))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True
