"""An autoscaler that lets nobody speak without a token, and what tests say to it."""
import base64
import contextlib
import json
import os
import subprocess
import uuid

import pytest
import yaml

from harness import BIN, ROOT, wait_for
from http1 import ask_now
from installation import system_namespace
from queue_proxy import free_port
from wire import ERROR, WirePeer, error_of, hello
from world import API, AUTOSCALER, INJECT, RUN, World, deployment, kubeconfig

SYSTEM = "pilotlight-system"
WIRE = (AUTOSCALER, 9444)
CONFIG = RUN / "admin.kubeconfig"
UNAUTHORIZED, PROTOCOL, REPLACED, TRY_AGAIN = 2, 4, 5, 8


def kubectl(*arguments, text=None):
    done = subprocess.run(["kubectl", "--kubeconfig", str(CONFIG), *map(str, arguments)],
                          input=text, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def data_of(kind, name):
    return json.loads(kubectl("-n", SYSTEM, "get", kind, name, "-o", "json")).get("data") or {}


class Mount:
    """What a kubelet makes of the Secret with the wire's certificate: links through `..data`."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.version = 0
        self.renew()
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(f"..data/{name}")

    def renew(self):
        self.version += 1
        fresh = self.folder / f"..{self.version}"
        fresh.mkdir()
        for name, value in data_of("secret", "pilotlight-wire-tls").items():
            (fresh / name).write_bytes(base64.b64decode(value))
        (self.folder / "..tmp").symlink_to(fresh.name)
        os.rename(self.folder / "..tmp", self.folder / "..data")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The accounts and objects of deploy/base, and a controller that fills them."""
    system_namespace()
    for file in ("rbac", "services", "controller", "autoscaler", "activator"):
        for document in yaml.safe_load_all((ROOT / f"deploy/base/{file}.yaml").read_text()):
            if document["kind"] == "Deployment":
                continue
            where = [] if document["kind"].startswith("Cluster") else ["-n", SYSTEM]
            kubectl(*where, "apply", "-f", "-", text=json.dumps(document))
    folder = tmp_path_factory.mktemp("controller")
    config = account_config(folder / "controller.kubeconfig", "pilotlight-controller")
    admin = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "pilotlight-controller"), "--kubeconfig", str(config), "--hooks",
             f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{admin}", "--metrics", "127.0.0.1:0"],
            stderr=log)
    wait_for("the wire's certificate", lambda: data_of("secret", "pilotlight-wire-tls"), every=0.2)
    wait_for("the CA", lambda: data_of("configmap", "pilotlight-ca"), every=0.2)
    yield
    process.terminate()
    assert process.wait(20) == 0
    kubectl("delete", "namespace", SYSTEM, "--wait=false")


def account_config(path, account, server=API):
    """A kubeconfig for one of our service accounts, with no more rights than deploy/ gives it;
    `server` may be a proxy on the way."""
    return kubeconfig(path, server, kubectl("-n", SYSTEM, "create", "token", account).strip())


def activator_token():
    return kubectl("-n", SYSTEM, "create", "token", "pilotlight-activator", "--audience",
                   "pilotlight").strip()


def pod_token(core, pod, audience="pilotlight"):
    """Of the pod's account, bound to the pod, as a kubelet asks for it."""
    space = pod.metadata.namespace
    made = core.create_namespaced_service_account_token("default", space, {"spec": {
        "audiences": [audience] if audience else [], "boundObjectRef": {
            "kind": "Pod", "apiVersion": "v1", "name": pod.metadata.name,
            "uid": pod.metadata.uid}}})
    return made.status.token


class WireWorld(World):
    """Its autoscaler asks for tokens, `server` is whom, and its sidecars and activator have them."""

    def __init__(self, folder, space, server=API):
        super().__init__(folder, space, kubeconfig(folder / "plain.kubeconfig"))
        self.server = server
        self.ca = data_of("configmap", "pilotlight-ca")["ca.crt"]
        (folder / "ca.crt").write_text(self.ca)
        self.mount = Mount(folder / "wire-tls")
        self.kubelet.environment = self.sidecar_environment

    def start_autoscaler(self):
        super().start_autoscaler(
            "--kubeconfig", account_config(self.folder / "scaler.kubeconfig",
                                           "pilotlight-autoscaler", self.server),
            "--wire-tls", self.mount.folder, "--authenticate", "review", "--namespace", SYSTEM)

    def start_activator(self):
        (self.folder / "activator.token").write_text(activator_token())
        super().start_activator("--autoscaler-ca", self.folder / "ca.crt", "--token-file",
                                self.folder / "activator.token")

    def token(self, pod, audience="pilotlight"):
        return pod_token(self.core, pod, audience)

    def sidecar_environment(self, pod):
        file = self.folder / f"{pod.metadata.uid}.token"
        file.write_text(self.token(pod))
        return {"PILOTLIGHT_AUTOSCALER_CA": self.ca, "PILOTLIGHT_TOKEN_FILE": str(file)}

    def deploy(self, name, **options):
        """With what the webhook adds to the template."""
        made = deployment(name, **options)
        made["spec"]["template"]["metadata"]["labels"] = {
            **made["spec"]["template"]["metadata"]["labels"],
            "serving.knative.dev/revision": name}
        self.apps.create_namespaced_deployment(self.space, made)

    def pod(self, name, revision, address):
        """One that no kubelet runs: what is said for it, a test says."""
        made = self.core.create_namespaced_pod(self.space, {
            "metadata": {"name": name, "labels": {
                INJECT: "true", "serving.knative.dev/revision": revision, "played": "true"}},
            "spec": {"containers": [{"name": "app", "image": "echo"}]}})
        self.core.patch_namespaced_pod_status(name, self.space, {"status": {
            "podIP": address, "podIPs": [{"ip": address}]}})
        return made

    def metrics(self):
        return ask_now((AUTOSCALER, 9090), AUTOSCALER, "/metrics", 10).body.decode()

    def refused(self, reason):
        lines = self.metrics().splitlines()
        start = 'pilotlight_wire_refused_total{reason="%s"} ' % reason
        return float(next(line for line in lines if line.startswith(start)).split()[-1])

    def revision(self, name):
        """What the autoscaler has made of a revision so far."""
        seen = next(one for one in self.page(AUTOSCALER)["revisions"]
                    if one.get("revision") == name and one.get("namespace") == self.space)
        return {key: seen.get(key) for key in ("desired", "ready", "decisions", "wakes")}

    def went_by(self, name):
        """What the decisions on a revision have gone by so far."""
        return [one["inputs"] for one in self.revision(name)["decisions"]]


@contextlib.contextmanager
def running_world(node, folder, **options):
    made = WireWorld(folder, f"w-{uuid.uuid4().hex[:8]}", **options)
    try:
        yield made
        if getattr(node, "failed", False):
            print(made.story())
    finally:
        made.stop()


@pytest.fixture
def world(request, tmp_path, installed):
    with running_world(request.node, tmp_path) as made:
        yield made


@pytest.fixture
def stage(world):
    return set_stage(world)


def set_stage(world):
    """A revision asleep, and two pods of it that nobody runs."""
    world.start_autoscaler()
    world.deploy("echo")
    world.deploy("other")
    world.kubelet.ignored = "played"
    world.mine = world.pod("mine", "echo", "10.89.250.1")
    world.theirs = world.pod("theirs", "echo", "10.89.250.2")
    wait_for("the revision", lambda: any(one.get("revision") == "echo" and
                                         one.get("namespace") == world.space and
                                         one.get("decisions")
                                         for one in world.page(AUTOSCALER)["revisions"]))
    return world


def introduce(world, token, *frames, **changes):
    """A peer that has said HELLO and these frames, and the answer. None when it is to be asked for
    again: nobody could find out who this is, or the connection has ended without a word, as with
    one that is slow to speak."""
    told = {"space": world.space, "revision": "echo", "replica": "mine",
            "address": "10.89.250.1:8012", "epoch": 7, "token": token, **changes}
    try:
        peer = WirePeer(WIRE, world.ca).say(hello(**told), *frames)
        kind, payload = peer.hear()
    except OSError:
        return None
    again = kind is None or kind == ERROR and error_of(payload)[0] == TRY_AGAIN
    return None if again else (peer, kind, payload)


def say_once(world, token, *frames, **changes):
    """The answer alone; the connection ends."""
    told = introduce(world, token, *frames, **changes)
    return told and told[1:]


def say(*arguments, **changes):
    return wait_for("an answer", lambda: say_once(*arguments, **changes), 60)
