"""The controller against a real API server and its endpoint controllers; no pod runs."""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request
import uuid

import pytest
import yaml

from harness import BIN, ROOT, wait_for
from queue_proxy import free_port

CONFIG = pathlib.Path(os.environ["KRUN"]) / "admin.kubeconfig"
SYSTEM = "pilotlight-system"
NODE = "10.89.0.1"  # where the API server reaches a webhook
ACTIVATORS = ("10.89.128.2", "10.89.128.3")
SHAPES = sorted((ROOT / "tests/controller/data").glob("[0-9]*.yaml"))


def kubectl(*arguments, text=None, check=True):
    done = subprocess.run(["kubectl", "--kubeconfig", str(CONFIG), *map(str, arguments)],
                          input=text, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 or not check, f"{arguments}: {done.stderr}"
    return done


def get(kind, name, space):
    return json.loads(kubectl("-n", space, "get", kind, name, "-o", "json").stdout)


def listed(kind, space, labels):
    return json.loads(kubectl("-n", space, "get", kind, "-l", labels, "-o", "json").stdout)["items"]


def apply(document, space=None):
    where = ["-n", space] if space else []
    return kubectl(*where, "apply", "-f", "-", text=json.dumps(document))


def status(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
        return json.load(answer)


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


class Activators:
    """What stands in for them: their slice, and listeners on the ports of Services."""

    def __init__(self):
        self.sockets = {}

    def listen(self, port):
        for address in ACTIVATORS:
            self.sockets[(address, port)] = socket.create_server((address, port))

    def close(self):
        for each in self.sockets.values():
            each.close()


@contextlib.contextmanager
def installation(access=lambda account: CONFIG):
    """deploy/base, with its webhooks turned to a controller that runs here, as a process.

    access: the kubeconfig with which the program of that service account may speak."""
    # The namespace first: nothing else could be tried in it.
    kubectl("apply", "-f", ROOT / "deploy/base/namespace.yaml")
    for file in ("rbac", "services", "activator", "autoscaler", "controller"):
        documents = yaml.safe_load_all((ROOT / f"deploy/base/{file}.yaml").read_text())
        for document in documents:
            if document["kind"] != "Deployment":
                space = None if document["kind"].startswith("Cluster") else SYSTEM
                apply(document, space)
    hooks, admin, metrics = free_port(), free_port(), free_port()
    for document in yaml.safe_load_all((ROOT / "deploy/base/webhooks.yaml").read_text()):
        for hook in document["webhooks"]:
            path = hook["clientConfig"].pop("service")["path"]
            hook["clientConfig"]["url"] = f"https://{NODE}:{hooks}{path}"
        apply(document)
    for number, address in enumerate(ACTIVATORS):
        apply({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
               "metadata": {"name": f"activator-{number}", "labels": {
                   "kubernetes.io/service-name": "pilotlight-activator"}},
               "addressType": "IPv4", "ports": [{"name": "http", "port": 8012}],
               "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]}, SYSTEM)
    command = [str(BIN / "pilotlight-controller"), "--kubeconfig",
               str(access("pilotlight-controller")), "--hooks", f"0.0.0.0:{hooks}", "--admin",
               f"127.0.0.1:{admin}", "--metrics", f"127.0.0.1:{metrics}", "--host", NODE]
    try:
        controller = Controller(command, admin, metrics)
        try:
            yield controller
        finally:
            controller.end()
    finally:
        kubectl("delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration",
                "pilotlight")
        kubectl("delete", "namespace", SYSTEM)


@pytest.fixture(scope="module")
def installed():
    with installation() as controller:
        yield controller


class Controller:
    """The process, which tests may kill and start again."""

    def __init__(self, command, admin, metrics):
        self.command, self.admin, self.metrics = command, admin, metrics
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command)
        try:
            wait_for("a ready controller", lambda: ready(self.admin))
        except AssertionError:
            self.kill()
            raise

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.terminate()
        assert self.process.wait(20) == 0

    def settle(self):
        def at_rest():
            now = status(self.admin)
            return now["synced"] and now["at_rest"] and now["leading"]
        wait_for("a controller at rest", at_rest)


@pytest.fixture
def space():
    name = f"c-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/warn=restricted")
    kubectl("-n", name, "create", "serviceaccount", "models")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def activators():
    made = Activators()
    yield made
    made.close()


def deployment(name="iris", **metadata):
    labels = {"app": name, "pilotlight.dev/inject": "true"}
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "labels": dict(labels), **metadata},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [
                         {"name": "m", "image": "i", "ports": [{"containerPort": 8000}]}]}}}}


def service(name="flower", app="iris"):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": app},
                     "ports": [{"name": "web", "port": 80, "targetPort": 8000}]}}


def slices(space, name="flower"):
    return listed("endpointslices", space, f"kubernetes.io/service-name={name}")


def addresses(space, name="flower"):
    return sorted(address for one in slices(space, name) for endpoint in one["endpoints"] or []
                  for address in endpoint["addresses"])


def taken(space, activators, name="flower"):
    """Waits until the Service leads to the activators; they listen as soon as it has a port."""
    def port():
        return get("service", name, space)["metadata"].get("annotations", {}).get(
            "pilotlight.dev/activator-port")
    wait_for("a port of its own", port)
    if (ACTIVATORS[0], int(port())) not in activators.sockets:
        activators.listen(int(port()))
    wait_for("the activators behind it", lambda: addresses(space, name) == sorted(ACTIVATORS))
    wait_for("no selector", lambda: "selector" not in get("service", name, space)["spec"])
    return get("service", name, space)


def test_everything_in_deploy_is_accepted_by_the_server(installed):
    for folder in ("base", "overlays/single"):
        done = kubectl("apply", "-k", ROOT / "deploy" / folder, "--dry-run=server")
        assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_every_golden_pod_is_what_the_server_makes_of_it(installed, space, path):
    pod = yaml.safe_load(path.read_text())
    del pod["metadata"]["ownerReferences"]  # of no object here; the labels say the same
    pod["metadata"]["labels"].setdefault("serving.knative.dev/service", "iris")
    pod["metadata"]["labels"].setdefault("serving.knative.dev/revision", "iris")
    done = kubectl("-n", space, "create", "-f", "-", "-o", "json", text=json.dumps(pod))
    made = json.loads(done.stdout)["spec"]
    golden = yaml.safe_load(path.with_suffix(".golden").read_text())["spec"]
    assert [c["name"] for c in made["initContainers"]] == [
        c["name"] for c in golden["initContainers"]]
    for kind in ("initContainers", "containers"):
        for got, wanted in zip(made[kind], golden[kind]):
            assert got["name"] == wanted["name"]
            assert got.get("readinessProbe") is None or wanted.get("readinessProbe")
            assert got.get("lifecycle", {}).keys() == wanted.get("lifecycle", {}).keys()
            got_names = [each["name"] for each in got.get("env", [])]
            assert got_names == [each["name"] for each in wanted.get("env", [])]
    assert made["initContainers"][0]["restartPolicy"] == "Always"
    assert "pilotlight-proxy" not in done.stderr, f"PodSecurity minds the sidecar: {done.stderr}"


def test_a_pod_on_the_hosts_network_is_refused_with_the_reason(installed, space):
    pod = yaml.safe_load((ROOT / "tests/controller/data/refused-host-network.yaml").read_text())
    done = kubectl("-n", space, "create", "-f", "-", text=json.dumps(pod), check=False)
    assert done.returncode != 0
    assert "spec.hostNetwork: got true" in done.stderr


def test_bad_annotations_are_refused_with_the_full_list(installed, space):
    bad = deployment(annotations={"autoscaling.knative.dev/window": "soon",
                                  "autoscaling.knative.dev/min-scale": "-1"})
    done = kubectl("-n", space, "apply", "-f", "-", text=json.dumps(bad), check=False)
    assert done.returncode != 0
    assert "window]: got" in done.stderr and "min-scale]: got" in done.stderr


def test_a_service_is_taken_over_and_given_back(installed, space, activators):
    apply(service(), space)
    wait_for("Kubernetes' own slice", lambda: slices(space))
    before = get("service", "flower", space)
    apply(deployment(), space)
    after = taken(space, activators)
    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
    wait_for("only our slice", lambda: [one["metadata"]["name"] for one in slices(space)] ==
             ["flower-pilotlight"])
    assert slices(space)[0]["ports"][0]["port"] == int(
        after["metadata"]["annotations"]["pilotlight.dev/activator-port"])
    hidden = get("service", "iris-private", space)
    assert hidden["spec"]["clusterIP"] == "None"
    installed.settle()

    kubectl("-n", space, "label", "deployment", "iris", "pilotlight.dev/inject-")
    wait_for("the selector again", lambda: get("service", "flower", space)["spec"].get(
        "selector") == {"app": "iris"})
    wait_for("no slice of ours", lambda: all("pilotlight" not in one["metadata"]["name"]
                                             for one in slices(space)))
    wait_for("the private Service gone", lambda: kubectl(
        "-n", space, "get", "service", "iris-private", check=False).returncode != 0)
    restored = get("service", "flower", space)["metadata"]
    assert not restored.get("labels")
    assert all("pilotlight" not in key for key in restored.get("annotations", {}))


def test_applying_the_service_again_changes_nothing(installed, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    changed = service()
    changed["spec"]["selector"]["app"] = "iris"
    changed["metadata"]["labels"] = {"team": "red"}
    apply(changed, space)
    now = get("service", "flower", space)
    assert "selector" not in now["spec"], "the webhook moves it before it takes effect"
    assert now["metadata"]["labels"]["team"] == "red"
    installed.settle()
    assert addresses(space) == sorted(ACTIVATORS)


def test_a_deleted_deployment_gives_its_service_back(installed, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    kubectl("-n", space, "delete", "deployment", "iris")
    wait_for("the selector again", lambda: "selector" in get("service", "flower", space)["spec"])
    wait_for("the private Service gone", lambda: kubectl(
        "-n", space, "get", "service", "iris-private", check=False).returncode != 0)


def test_killed_at_any_moment_it_comes_to_the_same_end(installed, space, activators):
    for number in range(5):
        apply(deployment(f"iris{number}"), space)
        apply(service(f"flower{number}", f"iris{number}"), space)
        time.sleep(0.05 * number)
        installed.kill()
        installed.start()
    for number in range(5):
        taken(space, activators, f"flower{number}")
    installed.settle()
    ports = {get("service", f"flower{number}", space)["metadata"]["annotations"][
        "pilotlight.dev/activator-port"] for number in range(5)}
    assert len(ports) == 5, "each has its own"


def test_the_metrics_page_is_what_is_exposed(installed, space, activators):
    refuse = deployment(annotations={"autoscaling.knative.dev/window": "soon"})
    kubectl("-n", space, "apply", "-f", "-", text=json.dumps(refuse), check=False)
    apply(service(), space)
    apply(deployment(), space)
    installed.settle()
    with urllib.request.urlopen(f"http://127.0.0.1:{installed.metrics}/metrics",
                                timeout=5) as answer:
        text = answer.read().decode()
    exposed = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    page = (ROOT / "docs/metrics.md").read_text()
    section = page.partition("## Controller")[2].partition("## Sidecar")[0]
    assert exposed == set(re.findall(r"`(pilotlight_\w+)`", section))
    values = dict(re.findall(r"^(\S+) ([0-9.e+]+)$", text, re.M))
    reviewed = 'pilotlight_controller_reviews_total{webhook="validate-deployment",result="%s"}'
    assert float(values[reviewed % "refused"]) >= 1 and float(values[reviewed % "allowed"]) >= 1
    assert values["pilotlight_controller_leading"] == "1"
    ends = 'pilotlight_controller_certificate_end_timestamp_seconds{certificate="%s"}'
    days = (float(values[ends % "webhook"]) - time.time()) / 86400
    assert 29 < days < 91, days


def test_a_bundle_that_somebody_removes_comes_back(installed):
    kubectl("patch", "mutatingwebhookconfiguration", "pilotlight", "--type=json", "-p",
            '[{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]')
    def bundle():
        hooks = json.loads(kubectl("get", "mutatingwebhookconfiguration", "pilotlight", "-o",
                                   "json").stdout)["webhooks"]
        return hooks[0]["clientConfig"].get("caBundle")
    wait_for("the bundle", bundle)
