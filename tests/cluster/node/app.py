"""An app on the node, as a user would have it, and requests to its Service."""
import json
import os
import pathlib
import socket
import subprocess
import uuid

import yaml

import demo
from load import Load


OVERLAY = pathlib.Path(__file__).parent / "overlay"


def install(overlay):
    demo.kubectl("apply", "-k", overlay)
    for program in demo.PROGRAMS:
        demo.kubectl("-n", demo.SYSTEM, "rollout", "status", f"deployment/pilotlight-{program}",
                     "--timeout=180s", seconds=200)
    # A webhook of before may still be asked over a connection that the API server has kept.
    demo.wait_for("the end of the old controller", lambda: len([
        pod for pod in demo.read("pods", space=demo.SYSTEM)["items"]
        if pod["metadata"]["name"].startswith("pilotlight-controller")]) == 1)
    demo.wait_for("webhooks that answer", demo.webhooks_answer, seconds=120)


def scaling(**annotations):
    return {f"autoscaling.knative.dev/{name.replace('_', '-')}": str(value)
            for name, value in annotations.items()}


class App:
    """examples/kubernetes/echo.yaml in a namespace of its own, with these scaling annotations."""

    def __init__(self, **annotations):
        deployment, service = yaml.safe_load_all(demo.MANIFEST.read_text())
        deployment["metadata"]["annotations"].update(scaling(window="6s", **annotations))
        self._create(deployment, service)
        self.wait_taken()
        self._wait_known()

    def _create(self, deployment, service):
        self.space = f"n-{uuid.uuid4().hex[:8]}"
        demo.kubectl("create", "namespace", self.space)
        self.kubectl("apply", "-f", "-", text=json.dumps(deployment))
        self.kubectl("apply", "-f", "-", text=json.dumps(service))
        self.address = (self.read("service", "echo")["spec"]["clusterIP"], 80)

    def wait_taken(self):
        def taken():
            service = self.read("service", "echo")
            slices = self.read("endpointslices")["items"]
            ours = [one for one in slices if one["metadata"]["name"] == "echo-pilotlight"]
            return ours and "selector" not in service["spec"] and len(slices) == 2
        # The other one is of the private Service, which selects the pods.
        demo.wait_for("a Service that leads to the activators", taken)

    def _wait_known(self):
        demo.wait_for("a node that knows where the Service leads", self._connects)

    def kubectl(self, *arguments, **options):
        return demo.kubectl("-n", self.space, *arguments, **options)

    def read(self, kind, name=None):
        return demo.read(kind, name, self.space)

    def _connects(self):
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0

    def replicas(self):
        """Wanted and ready."""
        found = self.read("deployment", "echo")
        return found["spec"]["replicas"], found["status"].get("readyReplicas", 0)

    def pods(self):
        return [one["metadata"]["name"] for one in self.read("pods")["items"]
                if "deletionTimestamp" not in one["metadata"]]

    def pod_ips(self):
        return {one["status"].get("podIP") for one in self.read("pods")["items"]
                if "deletionTimestamp" not in one["metadata"]}

    def leads_to(self):
        """Where the Service sends new connections."""
        return {endpoint["addresses"][0] for one in self.read("endpointslices")["items"]
                if one["metadata"]["name"] == "echo-pilotlight"
                for endpoint in one["endpoints"] or []
                if endpoint["conditions"].get("ready") is not False}

    def ready(self, count):
        return self.replicas()[1] >= count

    def asleep(self):
        return self.replicas() == (0, 0) and not self.read("pods")["items"]

    def load(self, clients, path="/?sleep=200", pause=0.1):
        """From the coroutine of a test; 0.3 s a request and client."""
        return Load(self.address, "any.host", path, clients, pause=pause)

    def delete(self):
        demo.kubectl("delete", "namespace", self.space, "--wait=false")


class Stranger(App):
    """The same before anybody has heard of us: two replicas, with the hook without which no rollout
    is free of errors: a pod serves on until nodes send nobody there any more."""

    def __init__(self, **annotations):
        deployment, service = yaml.safe_load_all(demo.MANIFEST.read_text())
        template = deployment["spec"]["template"]
        self.asked = {"metadata": take_off(deployment["metadata"]),
                      "spec": {"template": {"metadata": take_off(template["metadata"])}}}
        self.asked["metadata"]["annotations"].update(scaling(**annotations))
        deployment["spec"]["replicas"] = 2
        template["spec"]["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
        self._create(deployment, service)
        self._wait_rollout()
        self._wait_known()

    def adopt(self):
        """What docs/manifest.md asks for, in one change."""
        self._patch(self.asked)
        self.wait_taken()
        self._wait_rollout()

    def leave(self):
        self._patch(without(self.asked))
        demo.wait_for("a Service that is as it was", lambda: "selector" in self.read(
            "service", "echo")["spec"] and not self.leads_to())
        self._wait_rollout()

    def sidecars(self):
        """Whether its pods have one, those that end included."""
        return {"initContainers" in pod["spec"] for pod in self.read("pods")["items"]}

    def _patch(self, change):
        self.kubectl("patch", "deployment", "echo", "-p", json.dumps(change))

    def _wait_rollout(self):
        self.kubectl("rollout", "status", "deployment/echo", "--timeout=180s", seconds=200)


def take_off(metadata):
    """Removes what is ours in it. @return what that was."""
    return {kind: {key: metadata[kind].pop(key) for key in list(metadata[kind])
                   if key.startswith(("pilotlight.dev/", "autoscaling.knative.dev/"))}
            for kind in ("labels", "annotations")}


def without(change):
    """The patch that takes back what this one adds."""
    return {key: without(value) if isinstance(value, dict) else None
            for key, value in change.items()}


def process_ids(program):
    """Of one of our programs, in whatever pods they run."""
    found = subprocess.run(["pgrep", "-x", "-f", f"/{program}( .*)?"], capture_output=True,
                           text=True)
    return [int(pid) for pid in found.stdout.split()]


def leading_autoscaler():
    """The process that decides, once its pod is ready; None while there is none."""
    lease = demo.read("leases", space=demo.SYSTEM)["items"]
    holders = {one["metadata"]["name"]: one["spec"].get("holderIdentity", "") for one in lease}
    holder = holders.get("pilotlight-autoscaler", "")
    tasks = subprocess.run(["ctr", "-a", os.environ["KRUN"] + "/containerd.sock", "-n", "k8s.io",
                            "tasks", "list"], check=True, capture_output=True, text=True).stdout
    running = {line.split()[0]: int(line.split()[1]) for line in tasks.splitlines()[1:]}
    for pod in demo.read("pods", space=demo.SYSTEM)["items"]:
        status = pod["status"]
        ours = pod["metadata"]["labels"].get("app.kubernetes.io/name") == "pilotlight-autoscaler"
        if not ours or not all(one["ready"] for one in status.get("containerStatuses", [])):
            continue
        if holder and status.get("podIP") != holder.rpartition(":")[0]:
            continue
        container = status["containerStatuses"][0]["containerID"].rpartition("/")[2]
        if container in running:
            return running[container]
    return None
