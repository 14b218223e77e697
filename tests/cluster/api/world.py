"""The product's programs against a real API server, and a kubelet played by a thread."""
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import urllib3
import yaml
from kubernetes import client, config

from harness import BIN, run, wait_for
from http1 import ask_now
from queue_proxy import environment, free_port

RUN = pathlib.Path(os.environ["KRUN"])
API = "https://10.89.0.1:6443"
AUTOSCALER, ACTIVATOR = "127.0.0.3", "127.0.0.2"  # as on a laptop: each its own address
GATEWAY = ("127.0.0.1", 8080)
INJECT = "pilotlight.dev/inject"
AUTOSCALER_WATCHES, ACTIVATOR_WATCHES = 7, 4
BACK_OFF = 200  # seconds: Kubernetes' own controllers may look again only a minute after an outage


def kubeconfig(path, server=API, token=None):
    """Writes one for who has the token, else for the cluster's administrator; `server` may be a
    proxy on the way."""
    pki = RUN / "pki"
    administrator = {"client-certificate": str(pki / "admin.crt"),
                     "client-key": str(pki / "admin.key")}
    path.write_text(yaml.safe_dump({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "k", "cluster": {
            "server": server, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": "u", "user": {"token": token} if token else administrator}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}]}))
    return path


def new_namespace(core, name):
    """Makes one, and waits for the account in it without which no pod is taken."""
    core.create_namespace({"metadata": {"name": name}})
    wait_for(f"the account of {name}", lambda: core.list_namespaced_service_account(
        name, field_selector="metadata.name=default").items, BACK_OFF)


def deployment(name, replicas=0, timeout=600, **annotations):
    own = {"initial_scale": "0", "window": "6s", "max_scale": "3", **annotations}
    labels = {"app": name, INJECT: "true"}
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {
            "autoscaling.knative.dev/" + key.replace("_", "-"): value
            for key, value in own.items()}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                 "template": {
                     "metadata": {"labels": labels, "annotations": {
                         "pilotlight.dev/container-concurrency": "4",
                         "pilotlight.dev/timeout-seconds": str(timeout)}},
                     "spec": {"containers": [{"name": "app", "image": "echo"}]}}}}


def private_service(name):
    """The headless Service whose EndpointSlices say which pods of a revision are ready."""
    return {"metadata": {"name": f"{name}-private"},
            "spec": {"clusterIP": "None", "selector": {"app": name},
                     "ports": [{"name": "http", "port": 80, "targetPort": 8012}]}}


class Program:
    """One of the product's programs, its output in a file."""

    def __init__(self, folder, name, *arguments, prefix=(), env=None):
        self.log = folder / f"{name}-{time.monotonic_ns()}.log"
        self.command = [*prefix, str(BIN / name), *map(str, arguments)]
        self.environment = {**os.environ, **(env or {})}
        self.start()

    def start(self):
        self.started = time.monotonic()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output,
                                            stdin=subprocess.DEVNULL, env=self.environment)

    def stop(self, how=signal.SIGTERM, seconds=20):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace")

    def leases_lost(self):
        """How often it has led no longer, since the API server took no renewal in time."""
        return self.text().count("lease lost")


class Kept(Program):
    """An autoscaler that is started again, as by a kubelet, when it has ended without its lease;
    a few times: one that cannot keep it is broken."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.lock, self.stopping = threading.Lock(), False
        self.keeper = threading.Thread(target=self._keep, daemon=True)
        self.keeper.start()

    def _keep(self):
        starts = 0
        while True:
            self.process.wait()
            starts += 1
            with self.lock:
                if self.stopping or self.leases_lost() < starts or starts > 3:
                    return
                self.start()

    def stop(self, *arguments, **options):
        with self.lock:
            self.stopping = True
        super().stop(*arguments, **options)
        self.keeper.join()


def listens(address, port):
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


class Held:
    """A request that is in flight until release(): the end of its body does not come before."""

    def __init__(self, host):
        self.connection = http.client.HTTPConnection(*GATEWAY, timeout=120)
        self.connection.putrequest("POST", "/", skip_host=True)
        self.connection.putheader("Host", host)
        self.connection.putheader("Content-Length", "1")
        self.connection.endheaders()

    def release(self):
        """@return the status of its answer."""
        with contextlib.closing(self.connection):
            self.connection.send(b".")
            return self.connection.getresponse().status


class Kubelet:
    """Runs the pods of one namespace: for each an echo app and the real sidecar at an address of
    the pods' range, and its status written when it is ready. Pods that are deleted are ended as a
    kubelet does, with SIGTERM first."""

    numbers = itertools.count(10)  # of all kubelets: a pod that drains still has its address

    def __init__(self, api_client, space, folder, wire):
        self.core, self.space, self.folder = client.CoreV1Api(api_client), space, folder
        self.wire = wire
        self.pods, self.ending, self.stopping = {}, [], threading.Event()
        self.addresses, self.told = {}, set()  # of each pod; which of them the API server knows
        self.environment = lambda pod: {}  # what a sidecar gets besides
        self.ignored = None  # a label of pods that a test plays itself
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join()
        for program in itertools.chain(*self.pods.values(), *self.ending):
            program.stop(signal.SIGKILL)

    def _run(self):
        while not self.stopping.wait(0.05):
            try:
                self._look()
            except (client.ApiException, urllib3.exceptions.HTTPError):
                pass  # the API server is away, or a pod has gone: a kubelet looks again

    def _look(self):
        wanted = {pod.metadata.uid: pod for pod in
                  self.core.list_namespaced_pod(self.space, label_selector=INJECT).items
                  if pod.metadata.deletion_timestamp is None
                  and self.ignored not in pod.metadata.labels}
        for uid in wanted.keys() - self.pods.keys():
            self._start(wanted[uid])
        for uid in self.pods.keys() - wanted.keys():
            self.ending.append(self.pods.pop(uid))
            app, sidecar = self.ending[-1]
            threading.Thread(target=lambda a=app, s=sidecar: (s.stop(), a.stop()),
                             daemon=True).start()
        for uid in self.pods.keys() - self.told:
            self._tell(wanted[uid])

    def _start(self, pod):
        number, port = next(self.numbers), free_port()
        address = f"10.89.{128 + number // 250}.{number % 250 + 1}"
        name = pod.metadata.labels["app"]
        own = self.environment(pod)  # first: it may ask the API server
        app = Program(self.folder, "echo-server", "--port", port, "--address", "127.0.0.1")
        sidecar = Program(self.folder, "pilotlight-proxy", env=environment(
            port, address, CONTAINER_CONCURRENCY="4", REVISION_TIMEOUT_SECONDS="600",
            SERVING_NAMESPACE=self.space, SERVING_CONFIGURATION=name, SERVING_REVISION=name,
            SERVING_POD=pod.metadata.name, PILOTLIGHT_AUTOSCALER=self.wire, **own))
        self.pods[pod.metadata.uid], self.addresses[pod.metadata.uid] = (app, sidecar), address

    def _tell(self, pod):
        address = self.addresses[pod.metadata.uid]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.core.patch_namespaced_pod_status(pod.metadata.name, self.space, {"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]}})
        self.told.add(pod.metadata.uid)


class World:
    """A namespace, a kubelet for it, an autoscaler and an activator with this kubeconfig. `wire` is
    where sidecars and activators are told that an autoscaler is."""

    def __init__(self, folder, space, config_file, wire=f"{AUTOSCALER}:9444"):
        self.folder, self.space, self.config_file = folder, space, config_file
        self.wire = wire
        self.api = config.new_client_from_config(str(kubeconfig(folder / "admin.kubeconfig")))
        self.api.rest_client.pool_manager.connection_pool_kw["retries"] = False
        self.apps, self.core = client.AppsV1Api(self.api), client.CoreV1Api(self.api)
        new_namespace(self.core, space)
        self.programs = []
        self.kubelet = Kubelet(self.api, space, folder, wire)
        self.autoscaler = self.activator = None

    def start(self):
        self.start_autoscaler()
        self.start_activator()
        return self

    def start_activator(self, *arguments):
        self.activator = self.run(
            "pilotlight-activator", "--kubeconfig", self.config_file, "--address", ACTIVATOR,
            "--autoscaler", self.wire, "--listen", "%s:%d" % GATEWAY, "--shards", 1, *arguments)
        wait_for("the activator", lambda: listens(*GATEWAY) and listens(ACTIVATOR, 8022))

    def start_telling(self):
        """Both programs; the autoscaler writes its event log down, for explain()."""
        self.start_autoscaler("--kubeconfig", self.config_file,
                              "--decision-file", self.folder / "decisions.jsonl")
        self.start_activator()
        return self

    def explain(self, name):
        return run("explain", f"{self.space}/{name}", state_dir=self.folder).stdout

    def start_autoscaler(self, *arguments, **options):
        arguments = arguments or ("--kubeconfig", self.config_file)
        self.autoscaler = self.run("pilotlight-autoscaler", *arguments, "--address", AUTOSCALER,
                                   **options)
        wait_for("the autoscaler", lambda: all(listens(AUTOSCALER, port) for port in (9444, 8022)))

    def run(self, name, *arguments, kind=Program, **options):
        self.programs.append(kind(self.folder, name, *arguments, **options))
        return self.programs[-1]

    def stop(self):
        for program in reversed(self.programs):
            program.stop()
        for one in self.apps.list_namespaced_deployment(self.space).items:
            self.apps.delete_namespaced_deployment(one.metadata.name, self.space)
        self.kubelet.stop()
        self.core.delete_namespace(self.space)

    # --- what a test does and sees ---

    def deploy(self, name, **options):
        self.core.create_namespaced_service(self.space, private_service(name))
        self.apps.create_namespaced_deployment(self.space, deployment(name, **options))

    def routed(self, name):
        """Waits until the activator knows the Deployment."""
        wait_for(f"a route to {name}", lambda: any(
            one.get("revision") == name and one.get("namespace") == self.space
            for one in self.page(ACTIVATOR)["revisions"]), every=0.05)

    def host(self, name):
        return f"{name}.{self.space}.example.com"

    def ask(self, name, path="/", timeout=120, **request):
        return ask_now(GATEWAY, self.host(name), path, timeout, **request)

    def hold(self, name):
        return Held(self.host(name))

    def refused(self, name, status=504):
        """Asks for what is not answered in time. @return the words of the refusal."""
        answer = self.ask(name)
        assert answer.status == status, answer
        return json.loads(answer.body)["detail"]

    def replicas(self, name):
        return self.apps.read_namespaced_deployment(name, self.space).spec.replicas

    def page(self, address, path="/status"):
        return json.loads(ask_now((address, 8022), address, path, 10).body)

    def wait_replicas(self, name, count, seconds=60):
        wait_for(f"{name} at {count}", lambda: self.replicas(name) == count, seconds, every=0.1)

    def story(self):
        return "\n".join(f"---- {one.log.name}\n" + "\n".join(one.text().splitlines()[-40:])
                         for one in self.programs)
