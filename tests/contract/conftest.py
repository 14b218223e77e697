"""The API under test: a real API server when PILOTLIGHT_CONTRACT_KUBECONFIG names one, else a laptop's."""
import json
import os
import pathlib
import sys
import uuid

import pytest
from kubernetes import client, config

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Up, echo_service  # noqa: E402

REAL = os.environ.get("PILOTLIGHT_CONTRACT_KUBECONFIG")


class Api:
    """Raw requests with a kubeconfig's credentials (a client certificate, or a token in the
    server's path), and a namespace of this test's own."""

    def __init__(self, kubeconfig):
        self.client = config.new_client_from_config(kubeconfig)
        self.real = REAL is not None
        self.space = f"contract-{uuid.uuid4().hex[:8]}"
        self.call("POST", "/api/v1/namespaces", {"metadata": {"name": self.space}}, expect=201)

    def path(self, plural, name="", part="", group="apps"):
        root = {"": "/api/v1"}.get(group, f"/apis/{group}/v1")
        return "/".join(piece for piece in (root, "namespaces", self.space, plural, name, part)
                        if piece)

    def send(self, method, path, body=None, kind="application/json", **options):
        """The response as urllib3 gives it; `body` is JSON unless it is bytes."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Content-Type": kind} if body is not None else {}
        return self.client.rest_client.pool_manager.request(
            method, self.client.configuration.host + path, body=body, headers=headers,
            retries=False, timeout=30, **options)

    def call(self, method, path, body=None, kind="application/json", expect=None, **options):
        """(status, JSON of the answer); with `expect` the JSON alone, once the status is that."""
        response = self.send(method, path, body, kind, **options)
        answer = json.loads(response.data)
        if expect is None:
            return response.status, answer
        assert response.status == expect, f"{method} {path}: {response.status} {answer}"
        return answer

    def get(self, path):
        return self.call("GET", path, expect=200)

    def create(self, plural, object, group="apps"):
        return self.call("POST", self.path(plural, group=group), object, expect=201)

    def watch(self, path, **parameters):
        """Yields (type, object) until the server ends the watch."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        response = self.send("GET", f"{path}?watch=true&{query}", preload_content=False)
        assert response.status == 200, response.data
        rest = b""
        for chunk in response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    event = json.loads(line)
                    yield event["type"], event["object"]


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory):
    if REAL:
        yield REAL
        return
    up = Up(tmp_path_factory.mktemp("contract") / "state", echo_service(initial_scale="0"))
    try:
        up.wait_until_serving()
        yield str(up.state_dir / "kubeconfig")
    finally:
        up.down()


@pytest.fixture
def api(kubeconfig):
    made = Api(kubeconfig)
    yield made
    apps = client.AppsV1Api(made.client)
    for one in apps.list_namespaced_deployment(made.space).items:
        apps.delete_namespaced_deployment(one.metadata.name, made.space)


def deployment(name, replicas=0, **labels):
    labels = {"app": name, **labels}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                 "template": {"metadata": {"labels": {"app": name}},
                              "spec": {"containers": [{"name": "main", "image": "none"}]}}}}


def endpoint_slice(name, *addresses):
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 8012}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}
                      for address in addresses]}
