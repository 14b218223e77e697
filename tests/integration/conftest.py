"""What every integration test gets: a state dir, and a way to start `pilotlight up` in it."""
import pathlib
import shutil
import tempfile

import pytest

from harness import Up


@pytest.fixture
def state_dir():
    """A folder of its own under /tmp: short, so that nothing in it runs into path limits."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotlight-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(state_dir, request):
    """start(manifest text or path, ...) -> Up that serves. Ended, and checked to leave nothing."""
    ups = []

    def start_up(*manifests, **options):
        up = Up(state_dir, *manifests, **options)
        ups.append(up)
        up.wait_until_serving()
        return up

    yield start_up
    failed = getattr(request.node, "failed", False)
    for up in ups:
        if failed:
            print(up.story())
        up.down()
        up.assert_nothing_left()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call" and outcome.get_result().failed:
        item.failed = True
