"""Run by tests/cluster/run_api.sh inside the network namespace of a fresh API server."""
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "integration"))
from faults import FaultProxy  # noqa: E402
from world import RUN, World, kubeconfig  # noqa: E402


@pytest.fixture
def proxy():
    made = FaultProxy(RUN)
    yield made
    made.stop()


@pytest.fixture
def world(request, tmp_path, proxy):
    """Both programs behind the fault proxy."""
    config_file = kubeconfig(tmp_path / "proxied.kubeconfig", f"https://127.0.0.1:{proxy.port}")
    made = World(tmp_path, f"w-{uuid.uuid4().hex[:8]}", config_file)
    try:
        yield made
        if getattr(request.node, "failed", False):
            print(made.story())
    finally:
        proxy.clear()
        proxy.recover()
        made.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True
