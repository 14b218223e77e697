"""A Service and its way to the activators and back, by real programs and a node that hears late."""
import asyncio
import concurrent.futures
import signal
import socket
import subprocess
import threading
import time

import pytest
from kubernetes import client, config

from harness import wait_for
from http1 import Connection, ask_now
from installation import (ACTIVATORS, CONFIG, SYSTEM, addresses, apply, get, installed,  # noqa: F401
                          kubectl, slices, space)
from world import AUTOSCALER, Kubelet, Program, listens

APP_PORT = 8000
LATE = 1.0  # how much later than the API a node sends its connections elsewhere, in seconds


class DirectKubelet(Kubelet):
    """Its pods are on a node, and serve on the app's own port too, where a Service leads that is not
    ours: so they count for every Service."""

    def __init__(self, api_client, space, folder):
        self.node, self.direct = f"node-{space}", []
        core = client.CoreV1Api(api_client)
        core.create_node({"metadata": {"name": self.node}})
        super().__init__(api_client, space, folder, f"{AUTOSCALER}:9444")

    def _start(self, pod):
        name = pod.metadata.name
        if pod.spec.node_name is None:
            binding = {"metadata": {"name": name}, "target": {"kind": "Node", "name": self.node}}
            self.core.create_namespaced_pod_binding(name, self.space, binding,
                                                    _preload_content=False)
        super()._start(pod)
        self.direct.append(Program(self.folder, "echo-server", "--port", APP_PORT, "--address",
                                   self.addresses[pod.metadata.uid]))

    def stop(self):
        super().stop()
        for program in self.direct:
            program.stop()
        self.core.delete_node(self.node)


async def ask_until_sent_away(place):
    """Requests on one connection, until an answer ends it. @return their statuses."""
    connection, statuses = Connection(place), []
    while not statuses or connection.is_open:
        statuses.append((await asyncio.wait_for(connection.ask("any.host"), 60)).status)
        await asyncio.sleep(0.05)
    return statuses


class Node:
    """Sends requests to a Service as kube-proxy would that learns everything late."""

    def __init__(self, space, name):
        self.space, self.name, self.seen = space, name, []
        self.answers, self.errors, self.stopping = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self._learn)]
        self.threads += [threading.Thread(target=self._ask, args=(n,)) for n in range(4)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _learn(self):
        while not self.stopping.is_set():
            try:
                known = slices(self.space, self.name)
            except (AssertionError, subprocess.TimeoutExpired):
                continue  # it goes by what it knew, and looks again
            places = [(endpoint["addresses"][0], one["ports"][0]["port"])
                      for one in known if one["ports"]
                      for endpoint in one["endpoints"] or []
                      if endpoint["conditions"].get("ready") is not False]
            self.seen.append((time.monotonic(), places))

    def _ask(self, number):
        while not self.stopping.is_set():
            known = [places for at, places in list(self.seen) if at <= time.monotonic() - LATE]
            if not known or not known[-1]:
                time.sleep(0.05)
                continue
            number += 1
            place = known[-1][number % len(known[-1])]
            try:
                status = ask_now(place, "any.host", "/", 60).status
            except (OSError, EOFError) as error:
                status = repr(error)
            if status == 200:
                self.answers += 1
            else:
                self.errors.append((round(time.monotonic(), 2), place, status))
            time.sleep(0.01)


def deployment(**annotations):
    labels = {"app": "iris", "pilotlight.dev/inject": "true"}
    own = {"initial_scale": "0", "window": "6s", "max_scale": "3", **annotations}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "iris", "labels": dict(labels), "annotations": {
                "autoscaling.knative.dev/" + key.replace("_", "-"): value
                for key, value in own.items()}},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "iris"}},
                     "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [
                         {"name": "m", "image": "i", "ports": [{"containerPort": APP_PORT}]}]}}}}


def service(name="flower"):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": "iris"},
                     "ports": [{"name": "web", "port": 80, "targetPort": APP_PORT}]}}


def activator(folder, number, again="", access=CONFIG, arguments=()):
    made = Program(folder, "pilotlight-activator", "--kubeconfig", access, "--address",
                   f"127.0.0.{20 + number}", "--autoscaler", f"{AUTOSCALER}:9444", "--listen",
                   f"{ACTIVATORS[number]}:8012", "--shards", 2, "--lame-duck", "10s", *arguments,
                   env={"POD_NAME": f"activator-{number}{again}"})
    made.folder = folder
    return made


def admin(number, path):
    address = f"127.0.0.{20 + number}"
    try:
        return ask_now((address, 8022), address, path, 10).status
    except OSError:
        return 0


@pytest.fixture
def programs(installed, space, tmp_path):  # noqa: F811
    kubelet = DirectKubelet(config.new_client_from_config(str(CONFIG)), space, tmp_path)
    made = [Program(tmp_path, "pilotlight-autoscaler", "--kubeconfig", CONFIG, "--address",
                    AUTOSCALER)]
    made += [activator(tmp_path, number) for number in range(len(ACTIVATORS))]
    wait_for("the programs", lambda: listens(AUTOSCALER, 9444) and all(
        listens(address, 8012) for address in ACTIVATORS))
    yield made
    for program in made[1:]:
        program.stop(signal.SIGKILL)  # no lame ducks: nobody comes any more
    made[0].stop()
    kubelet.stop()


def port_of(space, name="flower"):  # noqa: F811
    return int(get("service", name, space)["metadata"].get("annotations", {}).get(
        "pilotlight.dev/activator-port", 0))


def taken(space, name="flower"):  # noqa: F811
    wait_for(f"{name} behind the activators",
             lambda: addresses(space, name) == sorted(ACTIVATORS), every=0.1)
    return port_of(space, name)


def test_a_sleeping_service_answers_on_its_own_port_whatever_the_host(programs, space):  # noqa: F811
    apply(service(), space)
    apply(service("rose"), space)
    apply(deployment(), space)
    ports = taken(space), taken(space, "rose")
    assert len(set(ports)) == 2
    assert get("deployment", "iris", space)["spec"]["replicas"] == 0
    for number, host in enumerate(["any.host", "10.96.3.4", "flower", "x.default.svc:80"]):
        place = ACTIVATORS[number % 2], ports[number % 2]
        assert ask_now(place, host, "/", 60).status == 200, (place, host)
    assert get("deployment", "iris", space)["spec"]["replicas"] >= 1


def test_the_way_there_and_back_loses_no_request(programs, space):  # noqa: F811
    # The label comes and goes; the pods stay as they are, and two of them are always there.
    apply(service(), space)
    asleep = deployment(min_scale="2")
    asleep["metadata"]["labels"].pop("pilotlight.dev/inject")
    asleep["spec"]["replicas"] = 2
    apply(asleep, space)
    wait_for("two ready pods", lambda: len(addresses(space)) == 2, every=0.1)
    with Node(space, "flower") as node, concurrent.futures.ThreadPoolExecutor() as pool:
        wait_for("requests on the old way", lambda: node.answers > 50, every=0.1)
        for _ in range(3):
            kubectl("-n", space, "label", "deployment", "iris", "pilotlight.dev/inject=true")
            port = taken(space)
            before = node.answers
            wait_for("requests on ours", lambda b=before: node.answers > b + 200, every=0.1)
            kept = pool.submit(asyncio.run, ask_until_sent_away((ACTIVATORS[0], port)))
            kubectl("-n", space, "label", "deployment", "iris", "pilotlight.dev/inject-")
            wait_for("no slice of ours", lambda: all(
                "pilotlight" not in one["metadata"]["name"] for one in slices(space)), every=0.1)
            assert set(kept.result(60)) == {200}, "a kept connection is sent on its way"
            before = node.answers
            wait_for("requests on the old way", lambda b=before: node.answers > b + 200, every=0.1)
    assert not node.errors, (len(node.errors), node.answers, node.errors[:10])


def lead(address, ready):
    """What the endpoint controller writes of an activator's pod: it runs, or it is on its way out."""
    number = ACTIVATORS.index(address)
    apply({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
           "metadata": {"name": f"activator-{number}", "labels": {
               "kubernetes.io/service-name": "pilotlight-activator"}},
           "addressType": "IPv4", "ports": [{"name": "http", "port": 8012}],
           "endpoints": [{"addresses": [address], "conditions": {
               "ready": ready, "serving": ready, "terminating": not ready}}]}, SYSTEM)


def test_activators_restart_one_after_the_other_and_no_request_is_lost(programs, space):  # noqa: F811
    apply(service(), space)
    apply(deployment(min_scale="1"), space)
    taken(space)
    with Node(space, "flower") as node:
        wait_for("requests", lambda: node.answers > 50, every=0.1)
        for number, address in enumerate(ACTIVATORS):
            old = programs[1 + number]
            lead(address, ready=False)
            old.process.terminate()
            wait_for("not ready", lambda n=number: admin(n, "/readyz") == 503, every=0.05)
            assert admin(number, "/healthz") == 200
            assert old.process.wait(60) == 0, old.text()
            assert "nobody comes any more" in old.text()
            programs[1 + number] = activator(old.folder, number, "again")
            wait_for("ready", lambda n=number: admin(n, "/readyz") == 200, every=0.05)
            lead(address, ready=True)
            taken(space)
            before = node.answers
            wait_for("requests", lambda b=before: node.answers > b + 200, every=0.1)
    assert not node.errors, (len(node.errors), node.answers, node.errors[:10])


def test_a_port_that_is_taken_already_is_waited_for(programs, space):  # noqa: F811
    apply(service(), space)
    apply(deployment(), space)
    port = taken(space)
    # Somebody else has the port that the next Service is given by hand.
    other = port + 1
    # It does not listen: whoever asks whether the activator does is told the truth.
    with socket.socket() as somebody:
        somebody.bind((ACTIVATORS[0], other))
        made = service("lily")
        made["metadata"]["labels"] = {"pilotlight.dev/managed": "preparing"}
        made["metadata"]["annotations"] = {"pilotlight.dev/activator-port": str(other)}
        apply(made, space)
        wait_for("the one that could", lambda: listens(ACTIVATORS[1], other), every=0.05)
        wait_for("the other to say so", lambda: "cannot listen for a service" in
                 programs[1].text(), every=0.05)
    wait_for("both", lambda: addresses(space, "lily") == sorted(ACTIVATORS), every=0.1)
    assert ask_now((ACTIVATORS[0], other), "any.host", "/", 60).status == 200
