"""The controller as a cluster has it, as a process that tests may kill, and what they ask of it."""
import contextlib
import json
import socket
import subprocess
import urllib.request
import uuid

import pytest
import yaml
from kubernetes import client, config

from harness import BIN, ROOT, wait_for
from queue_proxy import free_port
from world import API, BACK_OFF, RUN, kubeconfig, new_namespace

CONFIG = RUN / "admin.kubeconfig"
SYSTEM = "pilotlight-system"
NODE = "10.89.0.1"  # where the API server reaches a webhook
ACTIVATORS = ("10.89.128.2", "10.89.128.3")


def kubectl(*arguments, text=None, check=True):
    done = subprocess.run(["kubectl", "--kubeconfig", str(CONFIG), *map(str, arguments)],
                          input=text, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0 or not check, f"{arguments}: {done.stderr}"
    return done


def system_namespace():
    """Made when an earlier one has gone, with all that was in it."""
    wait_for(f"the end of an earlier {SYSTEM}", lambda: not kubectl(
        "get", "namespace", SYSTEM, "--ignore-not-found").stdout, BACK_OFF, every=0.2)
    kubectl("apply", "-f", ROOT / "deploy/base/namespace.yaml")


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


def trusted():
    """Whether the API server has been told whose certificates it is to believe."""
    configurations = kubectl("get", "mutatingwebhookconfiguration,validatingwebhookconfiguration",
                             "pilotlight", "-o", "json").stdout
    return all(hook["clientConfig"].get("caBundle")
               for one in json.loads(configurations)["items"] for hook in one["webhooks"])


class Activators:
    """What stands in for them: their slice, and listeners on the ports of Services."""

    def __init__(self):
        self.sockets = {}

    def listen(self, port):
        made = {(address, port): socket.socket() for address in ACTIVATORS}
        for place, each in made.items():
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(place)
        for each in made.values():  # right after one another: who dials meanwhile finds one alone
            each.listen()
        self.sockets.update(made)

    def close(self):
        for each in self.sockets.values():
            each.close()


def own_access(account, server=API):
    """A kubeconfig with a token of that service account; `server` may be a proxy on the way."""
    token = kubectl("-n", SYSTEM, "create", "token", account).stdout.strip()
    return kubeconfig(RUN / f"{account}.kubeconfig", server, token)


@contextlib.contextmanager
def installation(access=own_access):
    """deploy/base, with its webhooks turned to a controller that runs here, as a process.

    access: the kubeconfig with which the program of that service account may speak. The webhook
    knows the controller by its account."""
    # The namespace first: nothing else could be tried in it.
    system_namespace()
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
        kubectl("delete", "namespace", SYSTEM, "--wait=false")


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
            wait_for("its authority in the webhooks", trusted)
        except AssertionError:
            self.kill()
            raise

    def kill(self):
        self.process.kill()
        self.process.wait()

    def crash(self):
        """Killed, and at once followed by another one that need not wait for its Lease to run out."""
        self.kill()
        kubectl("-n", SYSTEM, "delete", "lease", "pilotlight-controller")
        self.start()
        wait_for("a leader", lambda: status(self.admin)["leading"], every=0.05)

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
    new_namespace(client.CoreV1Api(config.new_client_from_config(str(CONFIG))), name)
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


def given_back(space, name="flower", app="iris"):
    """Waits until nothing of ours is left of it."""
    wait_for("the selector again", lambda: get("service", name, space)["spec"].get(
        "selector") == {"app": app})
    wait_for("no slice of ours", lambda: all("pilotlight" not in one["metadata"]["name"]
                                             for one in slices(space, name)))
    wait_for("the private Service gone", lambda: kubectl(
        "-n", space, "get", "service", f"{app}-private", check=False).returncode != 0)
    restored = get("service", name, space)["metadata"]
    assert not restored.get("labels")
    assert all("pilotlight" not in key for key in restored.get("annotations", {}))
