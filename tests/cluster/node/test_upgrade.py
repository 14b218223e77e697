"""From an earlier version of everything to this one while requests come: none is lost."""
import asyncio
import os
import pathlib

import pytest

import demo
from app import OVERLAY, App, install
from load import in_thread, wait_for

PREVIOUS = pathlib.Path(os.environ["PILOTLIGHT_PREVIOUS"])


@pytest.fixture
def old_app(installed, request):
    """Two replicas, and all that is in front of them, of the earlier version."""
    demo.load_images(PREVIOUS / "images", os.environ["KRUN"] + "/containerd.sock")
    try:
        install(PREVIOUS / "overlay")
        app = App(min_scale=2, max_scale=4)
        demo.wait_for("two ready replicas", lambda: app.ready(2))
        yield app
        if getattr(request.node, "failed", False):
            demo.show_trouble(app.space)
        app.delete()
    finally:
        install(OVERLAY)


def sidecar_images(app):
    return {container["image"] for pod in app.read("pods")["items"]
            if "deletionTimestamp" not in pod["metadata"]
            for container in pod["spec"]["initContainers"]}


def test_an_upgrade_of_everything(old_app):
    async def run():
        load = old_app.load(clients=12)
        await asyncio.sleep(2)
        assert sidecar_images(old_app) == {"pilotlight-proxy:previous"}
        await in_thread(lambda: install(OVERLAY))
        await asyncio.sleep(5)
        upgraded = await load.stop()
        assert upgraded.lost == 0, (upgraded.lost, upgraded.total, upgraded.failures[:10])
        # The old sidecars serve on; the pods get the new one when their owner says so.
        assert sidecar_images(old_app) == {"pilotlight-proxy:previous"}
        load = old_app.load(clients=12)
        await in_thread(lambda: old_app.kubectl("rollout", "restart", "deployment/echo"))
        await in_thread(lambda: old_app.kubectl("rollout", "status", "deployment/echo",
                                                "--timeout=120s"))
        await wait_for("the new sidecar everywhere", lambda: sidecar_images(old_app) == {
            "pilotlight-proxy:latest"}, seconds=60)
        account = await load.stop()
        assert account.lost == 0, (account.lost, account.total, account.failures[:10])
        assert upgraded.total >= 200 and account.total >= 100, (upgraded.total, account.total)
        assert max(upgraded.most_at_once, account.most_at_once) <= 4, "the limit is exact"

    asyncio.run(run())
