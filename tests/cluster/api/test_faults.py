"""Refusals, resets and outages of a real API server: nothing lost, no hot loop, right afterwards."""
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import time

import pytest

from harness import wait_for
from world import ACTIVATOR_WATCHES, AUTOSCALER, AUTOSCALER_WATCHES, BACK_OFF, RUN, listens

API_SERVER = pathlib.Path(__file__).resolve().parents[1] / "apiserver.sh"
SERVER = ("10.89.0.1", 6443)
OUTAGE_SECONDS = float(os.environ.get("PILOTLIGHT_OUTAGE_SECONDS", "60"))
WATCHES = AUTOSCALER_WATCHES + ACTIVATOR_WATCHES


@pytest.mark.parametrize("fault", [
    {"status": 409, "times": 2}, {"status": 429, "retry_after": 1}, {"status": 429, "times": 2},
    {"status": 500, "times": 4}, {"status": 503, "retry_after": 1}, {"status": 504, "times": 2},
    {"cut": "before", "times": 3}, {"cut": "after", "times": 2},
], ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_a_wake_survives_what_the_scale_patch_meets(world, proxy, fault):
    world.start()
    world.deploy("echo")
    world.routed("echo")
    injected = proxy.inject("PATCH", "/deployments/echo/scale", **fault)
    assert world.ask("echo").status == 200
    assert injected.hits >= 1
    assert proxy.count("PATCH") <= injected.times + 3, proxy.requests
    assert world.replicas("echo") >= 1


def test_the_words_of_a_refused_scale_patch_reach_who_waits(world, proxy):
    world.start_telling()
    world.deploy("echo", timeout=5)
    world.routed("echo")
    words = 'admission webhook "policy" denied the request: no GPU for this team'
    injected = proxy.inject("PATCH", "/deployments/echo/scale", status=403, times=1000, message=words)
    cause = f"the API does not take 1 replica: {words} (HTTP 403)"
    assert world.refused("echo").endswith("; the cause: " + cause)

    def shown():
        return next(one for one in world.page(AUTOSCALER)["revisions"]
                    if one["namespace"] == world.space)

    told = shown()
    assert told["cause"] == cause
    assert (told["patch"]["status"], told["patch"]["message"]) == (403, words)
    wait_for("the story", lambda: "no answer" in world.explain("echo"))
    text = world.explain("echo")
    assert "the API did not take 1 at the 1st attempt after " in text
    assert f": {words} (HTTP 403); tried again in " in text
    assert f"no replica took it (deadline): {cause}\n" in text
    with proxy.lock:
        injected.times = 0  # the policy has changed
    assert world.ask("echo").status == 200
    wait_for("no cause", lambda: "cause" not in shown())


@pytest.mark.parametrize("fault", [
    {"event": 410}, {"status": 410}, {"status": 429, "retry_after": 1}, {"status": 500, "times": 3},
    {"cut": "before", "times": 3}, {"cut": "after", "times": 3},
], ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_watches_go_on_after_what_they_meet(world, proxy, fault):
    # The faults hit the second watch of each resource: the first one ends when it is reset here.
    world.deploy("old")
    world.start()
    world.routed("old")
    injected = [proxy.inject("GET", f"/{plural}?watch=true", **{"times": 1, **fault})
                for plural in ("deployments", "endpointslices", "pods")]
    proxy.outage()
    world.core.delete_namespaced_service("old-private", world.space)
    world.apps.delete_namespaced_deployment("old", world.space)
    world.deploy("new")
    proxy.recover()
    begun = time.monotonic()
    world.routed("new")
    assert world.ask("new").status == 200
    wait_for("the old one to be forgotten", lambda: world.ask("old").status == 404, every=0.1)
    wait_for("a watch of each to meet it", lambda: all(one.hits >= 1 for one in injected))
    asked = [one for one in proxy.requests if one.at >= begun and one.method == "GET"]
    assert len(asked) <= WATCHES * (sum(one.times for one in injected) + 4), asked


def test_lists_that_fail_are_tried_again(world, proxy):
    for plural in ("deployments", "endpointslices", "pods"):
        proxy.inject("GET", f"/{plural}?", status=500, times=4)
    world.deploy("echo")
    world.start()
    world.routed("echo")
    assert world.ask("echo").status == 200


def test_an_outage_loses_nothing_and_is_not_hammered(world, proxy):
    """One service is awake, one asleep with a request parked, when the API server goes away."""
    world.start()
    for name in ("awake", "asleep", "leaving"):
        world.deploy(name, **({"min_scale": "1"} if name == "awake" else {}))
        world.routed(name)
    assert world.ask("awake").status == 200
    begun = time.monotonic()
    proxy.outage()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parked = [pool.submit(world.ask, "asleep") for _ in range(4)]
        world.apps.delete_namespaced_deployment("leaving", world.space)
        world.deploy("coming")
        statuses = []
        while time.monotonic() - begun < OUTAGE_SECONDS:
            statuses.append(world.ask("awake").status)
            time.sleep(0.05)
        assert set(statuses) == {200}, f"traffic of an awake service: {set(statuses)}"
        assert not any(one.done() for one in parked)
        # Each watch backs off to 5 s, the PATCH to 2 s, both with jitter of a half.
        turned_away, passed = proxy.turned_away, time.monotonic() - begun
        most = WATCHES * (9 + passed / 2.5) + 8 + passed
        assert turned_away <= most, f"{turned_away} connections in {passed:.1f} s"
        proxy.recover()
        assert [one.result(60).status for one in parked] == [200] * 4
    world.routed("coming")
    assert world.ask("coming").status == 200
    wait_for("the deleted one to be forgotten", lambda: world.ask("leaving").status == 404, every=0.1)


@pytest.mark.timeout(600)
def test_an_api_server_that_is_killed_and_started_again(world):
    """The real thing: its watch caches are gone, so every version that we know is too old."""
    world.deploy("echo")
    world.start()
    world.routed("echo")
    pid_file = RUN / "pid/apiserver"
    os.kill(int(pid_file.read_text()), signal.SIGKILL)
    # The port and not the process: its threads end one by one, and the first is a zombie by then.
    wait_for("its end", lambda: not listens(*SERVER))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parked = pool.submit(world.ask, "echo", timeout=BACK_OFF)
        with (RUN / "log/apiserver.log").open("ab") as log:
            again = subprocess.Popen([str(API_SERVER)], stdout=log, stderr=log,
                                     stdin=subprocess.DEVNULL, start_new_session=True)
        pid_file.write_text(f"{again.pid}\n")
        assert parked.result(BACK_OFF).status == 200
    world.deploy("after")
    world.routed("after")
    assert world.ask("after", timeout=BACK_OFF).status == 200
