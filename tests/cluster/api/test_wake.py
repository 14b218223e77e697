"""A cold request on a real API server: parked, PATCHed, started, answered, and asleep again."""
import base64
import concurrent.futures
import json

import pytest
import yaml
from kubernetes import client

from harness import wait_for
from world import (ACTIVATOR_WATCHES, AUTOSCALER_WATCHES, RUN, deployment, kubeconfig,
                   new_namespace)


def test_a_request_wakes_a_deployment_and_it_sleeps_again(world, proxy):
    world.start()
    world.deploy("echo")
    world.routed("echo")
    assert world.replicas("echo") == 0
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: world.ask("echo").status, range(8)))
    assert answers == [200] * 8
    assert world.replicas("echo") >= 1
    patches = [one for one in proxy.requests if one.method == "PATCH"]
    assert patches and all(f"/namespaces/{world.space}/deployments/echo/scale" in one.path
                           for one in patches)
    assert len(patches) <= 3, patches
    world.wait_replicas("echo", 0)
    wait_for("the end of its pods", lambda: not world.core.list_namespaced_pod(world.space).items,
             every=0.1)
    assert world.ask("echo").status == 200  # and once more


def test_deployments_of_every_namespace_are_seen_and_others_left_alone(world, proxy):
    world.start()
    plain = world.apps.create_namespaced_deployment(world.space, {
        "metadata": {"name": "plain"}, "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "plain"}},
            "template": {"metadata": {"labels": {"app": "plain"}},
                         "spec": {"containers": [{"name": "a", "image": "a"}]}}}})
    world.deploy("echo")
    other = f"{world.space}-b"
    new_namespace(world.core, other)
    try:
        world.apps.create_namespaced_deployment(other, deployment("far", min_scale="1"))
        wait_for("a decision about the other namespace's Deployment", lambda: proxy.count(
            "PATCH", f"/namespaces/{other}/deployments/far/scale") > 0, seconds=60, every=0.1)
    finally:
        world.core.delete_namespace(other)
    assert world.ask("plain").status == 404
    assert proxy.count("PATCH", "/deployments/plain/") == 0
    assert world.apps.read_namespaced_deployment("plain", world.space).metadata.generation == \
        plain.metadata.generation


def test_at_rest_the_api_is_not_asked(world, proxy):
    world.start()
    world.deploy("echo")
    world.routed("echo")
    wait_for("their watches", lambda: proxy.watched(AUTOSCALER_WATCHES + ACTIVATOR_WATCHES))
    before = len(proxy.requests)
    try:
        wait_for("ten seconds without a request", lambda: len(proxy.requests) > before, seconds=10)
    except AssertionError:
        return
    raise AssertionError(f"asked at rest: {proxy.requests[before:]}")


@pytest.fixture
def service_account(world):
    """An account with just what the autoscaler needs, mounted as Kubernetes does."""
    rights = client.RbacAuthorizationV1Api(world.api)
    name = world.space
    rights.create_cluster_role({"metadata": {"name": name}, "rules": [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"],
         "verbs": ["list", "watch"]}]})
    world.core.create_namespaced_service_account(world.space, {"metadata": {"name": "scaler"}})
    rights.create_cluster_role_binding({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "scaler", "namespace": world.space}]})
    folder = world.folder / "account"
    folder.mkdir()
    (folder / "ca.crt").write_bytes((RUN / "pki/ca.crt").read_bytes())
    yield folder
    rights.delete_cluster_role(name)
    rights.delete_cluster_role_binding(name)


def token(world):
    made = world.core.create_namespaced_service_account_token(
        "scaler", world.space, {"spec": {"expirationSeconds": 3600}})
    return made.status.token


def test_in_a_cluster_the_mounted_account_is_used_and_read_again_when_it_is_renewed(
        world, service_account):
    header, payload, _ = token(world).split(".")
    (service_account / "token").write_text(f"{header}.{payload}.{'A' * 342}")  # signed by nobody
    mount = "/var/run/secrets/kubernetes.io/serviceaccount"
    script = (f"mount -t tmpfs none /run && mkdir -p {mount} && "
              f"mount --bind {service_account} {mount} && exec \"$@\"")
    world.start_autoscaler(
        "--log-level", "debug", prefix=["unshare", "-m", "sh", "-c", script, "-"],
        env={"KUBERNETES_SERVICE_HOST": "10.89.0.1", "KUBERNETES_SERVICE_PORT": "6443"})
    wait_for("a refusal", lambda: "wrong or missing credentials" in world.autoscaler.text(), every=0.1)
    (service_account / "token").write_text(token(world))
    world.start_activator()
    world.deploy("echo")
    world.routed("echo")
    assert world.ask("echo").status == 200


def test_a_kubeconfig_with_data_and_a_token(world, service_account):
    path = kubeconfig(world.folder / "data.kubeconfig")
    ca = base64.b64encode((RUN / "pki/ca.crt").read_bytes()).decode()
    document = yaml.safe_load(path.read_text())
    document["clusters"][0]["cluster"] = {"server": "https://10.89.0.1:6443",
                                          "certificate-authority-data": ca}
    document["users"][0]["user"] = {"token": token(world)}
    path.write_text(json.dumps(document))  # JSON is YAML
    world.start_autoscaler("--kubeconfig", path)
    world.start_activator()
    world.deploy("echo")
    world.routed("echo")
    assert world.ask("echo").status == 200
