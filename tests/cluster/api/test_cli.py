"""status, explain and logs of a cluster, through its API server: the admin pages over the Pod proxy,
the logs from a kubelet that a thread plays."""
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.parse

import pytest
import yaml

from harness import BIN, wait_for
from http1 import ask_now
from world import ACTIVATOR, AUTOSCALER, RUN, kubeconfig, new_namespace

NODE_IP = "10.89.0.1"
PAGES = {"pilotlight-activator": ("10.89.140.2", ACTIVATOR),
         "pilotlight-autoscaler": ("10.89.140.3", AUTOSCALER)}


class Server(http.server.ThreadingHTTPServer):
    """Answers every GET with `answer(path)`: (status, text)."""

    daemon_threads = True

    def __init__(self, address, answer, tls=False):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, text = answer(self.path)
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        super().__init__(address, Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(RUN / "pki/kubelet.crt", RUN / "pki/kubelet.key")
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class Installed:
    """The world's programs as the cluster would know them: Pods in a system namespace of their own,
    on a node whose kubelet has their logs."""

    def __init__(self, world, tmp_path):
        self.world, self.core, self.system = world, world.core, f"{world.space}-system"
        self.config = kubeconfig(tmp_path / "people.kubeconfig")
        self.logs, self.asked = {}, []
        self.kubelet = Server((NODE_IP, 0), self._log, tls=True)
        self.servers = [self.kubelet]
        self.node = f"node-{world.space}"
        self.core.create_node({"metadata": {"name": self.node}})
        self.core.patch_node_status(self.node, {"status": {
            "addresses": [{"type": "InternalIP", "address": NODE_IP}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.kubelet.server_port}}}})
        new_namespace(self.core, self.system)
        for program, (address, real) in PAGES.items():
            self._pod(program, address)
            self.servers.append(Server((address, 8022), lambda path, real=real: (
                200, ask_now((real, 8022), real, path, 10).body.decode())))
        self.logs["pilotlight-autoscaler", "autoscaler"] = lambda: world.autoscaler.text()

    def _pod(self, program, address):
        container = program.removeprefix("pilotlight-")
        self.core.create_namespaced_pod(self.system, {
            "metadata": {"name": program, "labels": {"app.kubernetes.io/name": program}},
            "spec": {"nodeName": self.node, "automountServiceAccountToken": False,
                     "containers": [{"name": container, "image": program}]}})
        self.started(self.system, program, container, address)

    def started(self, space, pod, container, address, restarts=0):
        self.core.patch_namespaced_pod_status(pod, space, {"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
            "containerStatuses": [{
                "name": container, "image": "i", "imageID": "i", "ready": True,
                "restartCount": restarts,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}})

    def _log(self, path):
        url = urllib.parse.urlsplit(path)
        _, _, _, pod, container = url.path.split("/")
        self.asked.append((pod, container, dict(urllib.parse.parse_qsl(url.query))))
        text = self.logs.get((pod, container))
        return (200, text()) if text else (404, "no such log\n")

    def stop(self):
        for server in self.servers:
            server.end()
        self.core.delete_namespace(self.system)
        self.core.delete_node(self.node)

    def run(self, *arguments, code=0):
        done = subprocess.run(
            [BIN / "pilotlight", *arguments, "--kubeconfig", self.config,
             "--system-namespace", self.system], capture_output=True, text=True, timeout=60,
            env={**os.environ, "TZ": "UTC"})
        assert done.returncode == code, done
        return done

    def status(self, *arguments):
        """What it prints once every page has come in the two seconds that it gives each."""
        def told():
            done = self.run("status", *arguments)
            return "tells nothing" not in done.stderr and done.stdout
        return wait_for("every page", told, 60)


@pytest.fixture
def installed(world, tmp_path):
    made = Installed(world, tmp_path)
    try:
        yield made
    finally:
        made.stop()


def test_people_see_a_cluster_through_its_api(world, installed):
    world.start_autoscaler("--kubeconfig", world.config_file, "--decision-file", "-")
    world.start_activator()
    world.deploy("echo", window="300s")  # it is awake for as long
    world.routed("echo")
    assert json.loads(installed.status("-o", "json"))["services"][0]["state"] == "asleep"
    assert world.ask("echo").status == 200

    [service] = json.loads(installed.status("-o", "json"))["services"]
    assert (service["namespace"], service["name"]) == (world.space, "echo")
    assert service["desired"] >= 1 and service["wakes"] == 1
    assert service["parked"] == 0 and service["in_flight"] == 0
    table = installed.status()
    assert f"{world.space}/echo" in table and "awake" in table, table

    wait_for("the wake in the log", lambda: "cold_start" in world.autoscaler.text(), every=0.1)
    told = installed.run("explain", "echo").stdout
    assert "poke" in told and "cold start" in told, told
    assert "0 -> 1" in told, told
    lines = installed.run("explain", f"{world.space}/echo", "-o", "json").stdout.splitlines()
    assert {json.loads(line)["service"] for line in lines} == {"echo"}
    assert "nothing about" in installed.run("explain", "nobody", code=1).stderr


def test_what_no_page_tells_is_not_made_up(world, installed):
    for server in installed.servers[1:]:
        server.end()
    del installed.servers[1:]
    world.deploy("echo")
    done = installed.run("status", "-o", "json")
    [service] = json.loads(done.stdout)["services"]
    assert service["parked"] is None and service["wakes"] is None
    assert service["state"] == "asleep"
    assert done.stderr.count("tells nothing") == 2, done.stderr


def test_the_log_before_a_restart_is_read_too(world, installed):
    address = PAGES["pilotlight-autoscaler"][0]
    installed.logs["pilotlight-autoscaler", "autoscaler"] = lambda: ""
    installed.started(installed.system, "pilotlight-autoscaler", "autoscaler", address, restarts=1)
    installed.run("explain", "echo", "--since", "10m", code=1)
    asked = [query for pod, _, query in installed.asked if pod == "pilotlight-autoscaler"]
    assert [query.get("previous") for query in asked] == ["true", None]
    assert not any("sinceSeconds" in query for query in asked), "what held before is told as well"


def test_the_logs_of_a_service_are_those_of_its_pods(world, installed):
    address = "10.89.141.2"
    world.core.create_namespaced_pod(world.space, {
        "metadata": {"name": "iris-1", "labels": {"serving.knative.dev/service": "iris"}},
        "spec": {"nodeName": installed.node, "automountServiceAccountToken": False,
                 "containers": [{"name": "app", "image": "iris"}]}})
    assert "no pod" in installed.run("logs", "iris", code=1).stderr
    installed.started(world.space, "iris-1", "app", address)
    installed.logs["iris-1", "app"] = lambda: "loading\nready \xe9\n"
    for name in ("iris", f"{world.space}/iris"):
        assert installed.run("logs", name).stdout == \
            f"[{world.space}/iris-1 app] loading\n[{world.space}/iris-1 app] ready \xe9\n"
    assert "no pod" in installed.run("logs", "other/iris", code=1).stderr
    world.core.delete_namespaced_pod("iris-1", world.space, grace_period_seconds=0)


def test_a_kubeconfig_that_does_not_read_is_named(tmp_path):
    missing = tmp_path / "none"
    done = subprocess.run([BIN / "pilotlight", "status", "--kubeconfig", missing],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 78 and str(missing) in done.stderr, done


FETCH = f"""#!{sys.executable}
import json, os, pathlib, sys
told = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
if sys.argv[1:] != ["get-token"] or os.environ["PKI"] == "" or "server" not in told["spec"]["cluster"]:
    sys.exit("asked for something else")
pki = pathlib.Path(os.environ["PKI"])
print(json.dumps({{"apiVersion": told["apiVersion"], "kind": "ExecCredential", "status": {{
    "clientCertificateData": (pki / "admin.crt").read_text(),
    "clientKeyData": (pki / "admin.key").read_text()}}}}))
"""


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_program_fetches_the_credentials_of_people(world, installed, version):
    world.deploy("echo")
    program = installed.config.with_name("fetch")
    program.write_text(FETCH)
    program.chmod(0o755)
    config = yaml.safe_load(installed.config.read_text())
    plugin = {"apiVersion": f"client.authentication.k8s.io/{version}", "command": "./fetch",
              "args": ["get-token"], "env": [{"name": "PKI", "value": str(RUN / "pki")}],
              "interactiveMode": "Never", "provideClusterInfo": True}
    config["users"][0]["user"] = {"exec": plugin}
    installed.config.write_text(yaml.safe_dump(config))
    # Another reader of the same file is let in too.
    subprocess.run(["kubectl", "--kubeconfig", installed.config, "get", "namespaces"], check=True,
                   capture_output=True, timeout=60)
    [service] = json.loads(installed.run("status", "-o", "json").stdout)["services"]
    assert service["name"] == "echo"

    plugin["args"] = ["get-nothing"]
    installed.config.write_text(yaml.safe_dump(config))
    refused = installed.run("status", code=78).stderr
    assert "users[0].user.exec" in refused and "exit 1" in refused, refused
    assert "asked for something else" in refused, "what it says to people is shown"
