"""The autoscaler and what else there is in a cluster: other scalers, quotas, the ReplicaSet's choice
of pods, and the Services that say which way requests go."""
import concurrent.futures
import contextlib
import json
import threading
import time

import pytest
from kubernetes import client

from harness import wait_for
from http1 import ask_now
from world import AUTOSCALER

ATTEMPTS = 4
RIVALS = 2  # seconds, autoscaler/app.cc: so long Deployments wait to know whom others scale
COST = "controller.kubernetes.io/pod-deletion-cost"
PATH = "pilotlight.dev/traffic-path"


def revision(world, name):
    return next((one for one in world.page(AUTOSCALER)["revisions"] if one["revision"] == name), {})


def patches(proxy, path):
    with proxy.lock:
        return [one for one in proxy.requests if one.method == "PATCH" and path in one.path]


def hpa(name, target):
    return {"metadata": {"name": name}, "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
        "minReplicas": 1, "maxReplicas": 5, "metrics": [{"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}}


def test_a_deployment_that_an_hpa_scales_is_left_alone_until_it_goes(world, proxy):
    scalers = client.AutoscalingV2Api(world.api)
    world.start()
    world.deploy("echo")
    world.deploy("other")
    world.routed("echo")
    world.routed("other")
    scalers.create_namespaced_horizontal_pod_autoscaler(world.space, hpa("mine", "echo"))
    wait_for("it to be left alone", lambda: revision(world, "echo").get("left_alone_to"))
    assert revision(world, "echo")["left_alone_to"] == "HorizontalPodAutoscaler mine"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(world.ask, "echo")
        assert world.ask("other").status == 200, "others are scaled as ever"
        time.sleep(5)  # more than two turns
        assert not answer.done()
        assert not patches(proxy, "/deployments/echo/scale")
        scalers.delete_namespaced_horizontal_pod_autoscaler("mine", world.space)
        assert answer.result(60).status == 200
    assert patches(proxy, "/deployments/echo/scale")
    assert "left_alone_to" not in revision(world, "echo")
    assert world.autoscaler.text().count("left alone: somebody else scales it") == 1


def test_who_waits_for_what_an_hpa_scales_is_told_so(world):
    world.start_telling()
    world.deploy("echo", timeout=5)
    world.routed("echo")
    client.AutoscalingV2Api(world.api).create_namespaced_horizontal_pod_autoscaler(
        world.space, hpa("mine", "echo"))
    wait_for("it to be left alone", lambda: revision(world, "echo").get("left_alone_to"))
    why = "HorizontalPodAutoscaler mine scales this Deployment, pilotlight leaves it alone"
    assert world.refused("echo").endswith("within 5 s; the cause: " + why)
    assert revision(world, "echo")["cause"] == why
    wait_for("the story", lambda: "no answer" in world.explain("echo"))
    assert f"no replica took it (deadline): {why}\n" in world.explain("echo")
    assert any(why in line for line in world.activator.text().splitlines()
               if "parked requests not served" in line)


def test_what_an_hpa_scales_is_left_alone_from_the_start(world, proxy):
    client.AutoscalingV2Api(world.api).create_namespaced_horizontal_pod_autoscaler(
        world.space, hpa("mine", "echo"))
    world.deploy("echo", replicas=1, min_scale="3")
    for _ in range(ATTEMPTS):
        world.start_autoscaler()
        started = world.autoscaler.started
        wait_for("it to be left alone", lambda: revision(world, "echo").get("left_alone_to"))
        time.sleep(3)  # more than a turn
        listed = next(one.at for one in proxy.requests
                      if one.at >= started and "/deployments?" in one.path)
        if listed < started + RIVALS:
            break
        # It went on without the answer, which came late.
        world.autoscaler.stop()
        world.apps.patch_namespaced_deployment_scale("echo", world.space, {"spec": {"replicas": 1}})
    else:
        raise AssertionError("the API server is too slow")
    assert not [one for one in patches(proxy, "/deployments/echo/scale") if one.at >= started]


@contextlib.contextmanager
def load(world, name, concurrency, path="/?sleep=300"):
    over, statuses = threading.Event(), []

    def client_thread():
        while not over.is_set():
            statuses.append(world.ask(name, path).status)

    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        tasks = [pool.submit(client_thread) for _ in range(concurrency)]
        try:
            yield statuses
        finally:
            over.set()
    for task in tasks:
        task.result()


def pods(world, name):
    return {pod.metadata.name: (pod.metadata.annotations or {}).get(COST)
            for pod in world.core.list_namespaced_pod(world.space, label_selector=f"app={name}").items
            if pod.metadata.deletion_timestamp is None}


def shrink(world, proxy, name):
    """From three pods to the one that still has a request.
    @return whether those that went were marked in time: else whoever goes goes."""
    world.deploy(name, min_scale="1")
    world.routed(name)
    busy, *others = [world.hold(name) for _ in range(8)]
    wait_for("three ready", lambda: revision(world, name).get("ready") == 3, 60, every=0.1)
    before = pods(world, name)
    assert len(before) == 3
    assert set(before.values()) == {None}, "nothing is written while nothing goes"
    begun = time.monotonic()
    assert {one.release() for one in others} == {200}
    wait_for("one pod", lambda: len(pods(world, name)) == 1, 60, every=0.05)
    [left] = pods(world, name)
    address = world.core.read_namespaced_pod(left, world.space).status.pod_ip
    in_flight = json.loads(ask_now((address, 8012), "any.host", "/stats").body)["in_flight"]
    status = busy.release()
    if any("pod-deletion-cost not set" in line and f"{name}-" in line
           for line in world.autoscaler.text().splitlines()):
        return False
    assert in_flight == 1 and status == 200, "the busy one stays"
    marked = set()
    for one in patches(proxy, f"/{name}"):
        if one.at < begun or one.status != 200:
            continue
        asked = json.loads(one.body)
        if one.path.endswith("/scale"):
            assert len(marked) >= 3 - asked["spec"]["replicas"], "marked before the scale-down"
        else:
            assert int(asked["metadata"]["annotations"][COST]) < 0
            marked.add(one.path.rsplit("/", 1)[1])
    assert set(before) - {left} == marked
    return True


def test_the_idle_pods_go_first_and_the_busy_one_finishes(world, proxy):
    world.start()
    assert any(shrink(world, proxy, f"echo{attempt}") for attempt in range(ATTEMPTS))


@pytest.mark.parametrize("fault", [
    {"status": 409}, {"status": 429, "retry_after": 1}, {"status": 500}, {"cut": "before"},
    {"cut": "after"}], ids=lambda fault: "-".join(str(value) for value in fault.values()))
def test_a_scale_down_does_not_wait_for_marks_that_the_api_does_not_take(world, proxy, fault):
    world.start()
    world.deploy("echo")
    world.routed("echo")
    held = [world.hold("echo") for _ in range(8)]
    wait_for("three ready", lambda: revision(world, "echo").get("ready") == 3, 60, every=0.1)
    met = proxy.inject("PATCH", f"/{world.space}/pods/", times=1000, **fault)
    assert {one.release() for one in held} == {200}
    world.wait_replicas("echo", 0)
    assert met.hits
    downs = [one for one in patches(proxy, "/deployments/echo/scale")
             if json.loads(one.body)["spec"]["replicas"] < 3]
    assert met.hits <= 3 * len(downs) + 3, "a mark that is not taken is not pressed"


def test_a_quota_that_lets_no_pod_be_made_is_the_cause(world):
    world.core.create_namespaced_resource_quota(
        world.space, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    wait_for("a quota that counts", lambda: world.core.read_namespaced_resource_quota(
        "none", world.space).status.hard)
    story = world.folder / "decisions.jsonl"
    world.start_telling()
    world.deploy("echo")
    world.deploy("brief", timeout=15)
    world.routed("echo")
    world.routed("brief")
    told = world.refused("brief")
    assert "the cause: FailedCreate: " in told and "exceeded quota: none" in told
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(world.ask, "echo")
        cause = wait_for("the cause", lambda: revision(world, "echo").get("cause"), 60)
        assert "FailedCreate" in cause and "exceeded quota" in cause
        told = wait_for("the story", lambda: [
            event for event in map(json.loads, story.read_text().splitlines())
            if event.get("event") == "refused"])
        assert "exceeded quota" in told[0]["reason"]
        world.core.delete_namespaced_resource_quota("none", world.space)
        assert answer.result(110).status == 200  # the ReplicaSet's controller tries again
    wait_for("no cause", lambda: "cause" not in revision(world, "echo"))


def test_a_warning_about_a_pod_that_does_not_start_is_the_cause(world):
    world.kubelet.ignored = "app"  # nobody runs pods here
    world.start_telling()
    world.deploy("echo", timeout=15)
    world.routed("echo")
    message = 'MountVolume.SetUp failed for volume "models" : configmap "models" not found'
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(world.refused, "echo")
        [pod] = wait_for("its pod", lambda: world.core.list_namespaced_pod(world.space).items)
        name, now = pod.metadata.name, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        world.core.create_namespaced_event(world.space, {
            "metadata": {"name": f"{name}.1"}, "type": "Warning", "reason": "FailedMount",
            "message": message, "lastTimestamp": now, "firstTimestamp": now, "count": 1,
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": name,
                               "namespace": world.space, "uid": pod.metadata.uid}})
        wait_for("the cause", lambda: revision(world, "echo").get("cause"))
        assert answer.result(60).endswith(f"; the cause: {name}: FailedMount: {message}")
    wait_for("the story", lambda: "no answer" in world.explain("echo"))
    assert f"{name} does not start yet: FailedMount: {message}\n" in world.explain("echo")
    assert f"{name} has not started yet: FailedMount: {message}\n" in world.explain("echo")
    world.kubelet.ignored = None
    assert world.ask("echo").status == 200
    wait_for("no cause", lambda: "cause" not in revision(world, "echo"))


def private(world, name):
    found = world.core.read_namespaced_service(f"{name}-private", world.space)
    return (found.metadata.annotations or {}).get(PATH)


def test_the_private_service_says_which_way_requests_go(world, proxy):
    world.start()
    world.deploy("echo", target_burst_capacity="0")
    world.core.patch_namespaced_service(
        "echo-private", world.space, {"metadata": {"labels": {"pilotlight.dev/private": "true"}}})
    world.routed("echo")
    assert private(world, "echo") is None
    with load(world, "echo", 2):
        wait_for("serve", lambda: private(world, "echo") == "serve", every=0.05)
        assert revision(world, "echo")["direct"]
        time.sleep(3)
    wait_for("proxy", lambda: private(world, "echo") == "proxy", 60, every=0.05)
    assert world.replicas("echo") == 1, "the activators come into the path before the last pod goes"
    world.wait_replicas("echo", 0, 90)
    assert len(patches(proxy, "/services/echo-private")) == 2, "only changes are written"
    # One that the API does not take is tried again, and does not hold up a wake.
    proxy.inject("PATCH", "/services/echo-private", status=503, times=3)
    with load(world, "echo", 2):
        wait_for("serve", lambda: private(world, "echo") == "serve", 60, every=0.05)
