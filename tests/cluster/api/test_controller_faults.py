"""The controller behind refusals, resets and outages of the API server: it comes to the same end, and
asks no more than it must."""
import os
import re
import time
import urllib.request

import pytest

from faults import FaultProxy
from harness import wait_for
from installation import (ACTIVATORS, CONFIG, activators, addresses, apply, deployment,  # noqa: F401
                          get, given_back, installation, kubectl, own_access, service, slices,
                          space, taken)
from world import RUN

PORT = 6446
# Seconds. As it is a leader stays one; in `./dev soak cluster` it loses its Lease and takes it again.
OUTAGE = float(os.environ.get("PILOTLIGHT_OUTAGE_SECONDS", "4"))
WRITES = 9 + 3  # of a takeover and a way back, and some for what comes twice after a conflict
WATCHES = 9  # of one controller: Services, Deployments, slices, its Lease, the certificate's five
STEADY = 2.5  # seconds: what backs off to 5 s, with jitter of a half, waits no less in the end


@pytest.fixture(scope="module")
def proxy():
    made = FaultProxy(RUN, port=PORT, administrator=False)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def proxied(proxy):
    server = f"https://127.0.0.1:{PORT}"
    with installation(lambda account: own_access(account, server)) as controller:
        yield controller


@pytest.fixture(autouse=True)
def healthy(proxy):
    yield
    proxy.clear()
    proxy.recover()


def writes(proxy, space, begun):
    """But for those that came to nothing, since somebody else had written before."""
    with proxy.lock:
        return [one for one in proxy.requests
                if one.at >= begun and one.method != "GET" and f"/{space}/" in one.path
                and one.status not in (404, 409)]


def release(space):
    kubectl("-n", space, "label", "deployment", "iris", "pilotlight.dev/inject-")


def only_ours(space):
    wait_for("only our slice", lambda: [one["metadata"]["name"] for one in slices(space)] ==
             ["flower-pilotlight"])


@pytest.mark.parametrize("fault", [
    {"status": 409, "times": 2}, {"status": 429, "retry_after": 1}, {"status": 500, "times": 3},
    {"status": 503, "retry_after": 1}, {"cut": "before", "times": 2}, {"cut": "after", "times": 2},
], ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_it_comes_to_the_same_end_whatever_its_writes_meet(proxied, proxy, space, activators, fault):
    met = [proxy.inject("PUT", f"/{space}/services/flower", **fault),
           proxy.inject("POST", f"/{space}/services", **fault),
           proxy.inject("POST", f"/{space}/endpointslices", **fault)]
    begun = time.monotonic()
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    only_ours(space)
    proxied.settle()
    met += [proxy.inject("PUT", f"/{space}/services/flower", **fault),
            proxy.inject("DELETE", f"/{space}/endpointslices/", **fault)]
    release(space)
    given_back(space)
    proxied.settle()
    assert all(one.hits for one in met), met
    asked = writes(proxy, space, begun)
    assert len(asked) <= WRITES + sum(one.hits for one in met if one.status != 409), asked


def interrupted(proxy, met, begun):
    """An outage that begins when this fault has been met, and ends with it. No write has met it
    before `begun`."""
    wait_for("a write", lambda: met.hits)
    down = time.monotonic()
    proxy.outage()
    # From 100 ms on twice as long each time, with jitter of a half.
    passed = time.monotonic() - begun
    assert met.hits <= 5 + passed, "a write that was cut waits before it comes again"
    time.sleep(OUTAGE)
    turned_away, passed = proxy.turned_away, time.monotonic() - down
    # A watch backs off to 5 s from 20 ms, a write from 100 ms; the Lease is tried every 250 ms.
    assert turned_away <= (WATCHES + 1) * (9 + passed / STEADY) + 4 * passed, (
        f"{turned_away} connections in {passed:.1f} s")
    proxy.clear()
    proxy.recover()


def test_an_outage_in_the_middle_of_a_takeover(proxied, proxy, space, activators):
    met = proxy.inject("POST", f"/{space}/endpointslices", cut="before", times=1000)
    begun = time.monotonic()
    apply(service(), space)
    wait_for("Kubernetes' own slice", lambda: slices(space))
    apply(deployment(), space)
    port = wait_for("a port of its own", lambda: get("service", "flower", space)["metadata"].get(
        "annotations", {}).get("pilotlight.dev/activator-port"))
    activators.listen(int(port))
    interrupted(proxy, met, begun)
    taken(space, activators)
    only_ours(space)
    proxied.settle()
    assert len(writes(proxy, space, begun)) <= WRITES + met.hits


def test_an_outage_in_the_middle_of_a_way_back(proxied, proxy, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    only_ours(space)
    proxied.settle()
    met = proxy.inject("DELETE", f"/{space}/endpointslices/", cut="before", times=1000)
    begun = time.monotonic()
    release(space)
    interrupted(proxy, met, begun)
    given_back(space)
    proxied.settle()
    assert len(writes(proxy, space, begun)) <= WRITES + met.hits


def test_a_deployment_that_leaves_during_an_outage_is_missed_afterwards(proxied, proxy, space,
                                                                        activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    proxied.settle()
    proxy.outage()
    kubectl("-n", space, "delete", "deployment", "iris")
    time.sleep(1)
    assert addresses(space) == sorted(ACTIVATORS), "traffic flows on"
    proxy.recover()
    given_back(space)


@pytest.mark.parametrize("fault", [
    {"event": 410}, {"status": 410}, {"status": 429, "retry_after": 1}, {"status": 500, "times": 3},
    {"cut": "before", "times": 3}, {"cut": "after", "times": 3},
], ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_watches_go_on_after_what_they_meet(proxied, proxy, space, activators, fault):
    proxied.settle()
    met = [proxy.inject("GET", f"/{plural}?watch=true", **fault)
           for plural in ("services", "deployments", "endpointslices")]
    proxy.outage()  # so that each begins anew
    apply(deployment(), space)
    apply(service(), space)
    begun = time.monotonic()
    proxy.recover()
    taken(space, activators)
    only_ours(space)
    wait_for("a watch of each to meet it", lambda: all(one.hits for one in met))
    release(space)
    given_back(space)
    proxied.settle()
    with proxy.lock:
        reads = [one for one in proxy.requests if one.at >= begun and one.method == "GET"
                 and "/leases/" not in one.path]
    assert len(reads) <= WATCHES * (sum(one.times for one in met) + 4) + WRITES, reads


def test_lists_that_fail_are_tried_again(proxied, proxy, space, activators):
    met = [proxy.inject("GET", f"/{plural}?", status=500, times=4)
           for plural in ("services", "deployments", "endpointslices")]
    apply(deployment(), space)
    apply(service(), space)
    proxied.crash()
    taken(space, activators)
    assert all(one.hits == one.times for one in met), met


def failed_writes(controller):
    with urllib.request.urlopen(f"http://127.0.0.1:{controller.metrics}/metrics",
                                timeout=5) as answer:
        found = re.search(r'writes_total{kind="services",result="failed"} (\d+)',
                          answer.read().decode())
    return int(found[1]) if found else 0


def test_a_controller_that_its_webhook_does_not_know_gives_nothing_back_but_goes_on_trying(
        proxied, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    own = proxied.command
    proxied.command = [CONFIG if "kubeconfig" in str(each) and each != "--kubeconfig" else each
                       for each in own]
    proxied.crash()
    try:
        begun = time.monotonic()
        release(space)
        time.sleep(3)
        wait_for("two attempts", lambda: failed_writes(proxied) >= 2)
        failed = failed_writes(proxied)
        assert failed <= 10 + (time.monotonic() - begun) / STEADY
        assert "selector" not in get("service", "flower", space)["spec"]
    finally:
        proxied.command = own
        proxied.crash()
    given_back(space)
