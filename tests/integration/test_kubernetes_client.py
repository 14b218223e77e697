"""The Python Kubernetes client, as anyone would use it, against a running up. What its API has in
common with a real one is in tests/contract."""
import threading

import pytest
from kubernetes import client, config, watch

from harness import echo_service, wait_for

NAMESPACE = "default"
DEPLOYMENT = "echo-00001-deployment"


@pytest.fixture
def up(start):
    return start(echo_service(initial_scale="0", max_scale="4", window="6s"))


@pytest.fixture
def kube(up):
    """An ApiClient made from nothing but the kubeconfig in the state dir."""
    return config.new_client_from_config(str(up.state_dir / "kubeconfig"))


def test_lists_and_reads_deployments(kube):
    apps = client.AppsV1Api(kube)
    listed = apps.list_namespaced_deployment(NAMESPACE).items
    assert [one.metadata.name for one in listed] == [DEPLOYMENT]
    labels = listed[0].metadata.labels
    assert labels["serving.knative.dev/service"] == "echo"
    assert labels["serving.knative.dev/revision"] == "echo-00001"
    selected = apps.list_deployment_for_all_namespaces(
        label_selector="serving.knative.dev/service=echo").items
    assert [one.metadata.uid for one in selected] == [listed[0].metadata.uid]
    assert apps.list_deployment_for_all_namespaces(
        label_selector="serving.knative.dev/service=other").items == []
    with pytest.raises(client.ApiException) as refused:
        apps.read_namespaced_deployment("absent", NAMESPACE)
    assert refused.value.status == 404


def test_scaling_by_hand_makes_pods_and_endpoints_that_a_watch_sees(up, kube):
    apps, core, discovery = client.AppsV1Api(kube), client.CoreV1Api(kube), client.DiscoveryV1Api(kube)
    version = apps.list_namespaced_deployment(NAMESPACE).metadata.resource_version
    pods = core.list_namespaced_pod(NAMESPACE)
    assert pods.items == []

    seen = {"deployments": [], "pods": [], "slices": []}

    def follow(kind, function, **arguments):
        for event in watch.Watch().stream(function, NAMESPACE, timeout_seconds=150, **arguments):
            seen[kind].append((event["type"], event["object"]))
            if stop.is_set():
                return

    stop = threading.Event()
    for kind, function, start_at in (
            ("deployments", client.AppsV1Api(kube).list_namespaced_deployment, version),
            ("pods", client.CoreV1Api(kube).list_namespaced_pod, pods.metadata.resource_version),
            ("slices", client.DiscoveryV1Api(kube).list_namespaced_endpoint_slice, None)):
        arguments = {} if start_at is None else {"resource_version": start_at}
        threading.Thread(target=follow, args=(kind, function), kwargs=arguments, daemon=True).start()

    def keep(replicas):
        """As many stay, whatever the load: the autoscaler takes back what nobody needs."""
        apps.patch_namespaced_deployment(DEPLOYMENT, NAMESPACE, {
            "metadata": {"annotations": {"autoscaling.knative.dev/min-scale": replicas}}})

    keep("2")
    apps.patch_namespaced_deployment_scale(DEPLOYMENT, NAMESPACE, {"spec": {"replicas": 2}})
    assert apps.read_namespaced_deployment_scale(DEPLOYMENT, NAMESPACE).spec.replicas == 2
    wait_for("two ready pods", lambda: sum(
        any(condition.type == "Ready" and condition.status == "True"
            for condition in pod.status.conditions or [])
        for pod in core.list_namespaced_pod(NAMESPACE).items) == 2, every=0.1)

    def ready_endpoints():
        slices = discovery.list_namespaced_endpoint_slice(
            NAMESPACE, label_selector="kubernetes.io/service-name=echo-00001-private").items
        return [address for one in slices for endpoint in one.endpoints or []
                if endpoint.conditions.ready for address in endpoint.addresses]

    addresses = wait_for("two ready endpoints",
                         lambda: len(found := ready_endpoints()) == 2 and found, every=0.1)
    assert all(address.startswith("127.") for address in addresses)
    wait_for("the pods in their watch",
             lambda: sum(kind == "ADDED" for kind, _ in seen["pods"]) >= 2)
    wait_for("the scale in the deployments' watch", lambda: any(
        one.spec.replicas == 2 for _, one in seen["deployments"]))
    wait_for("the addresses in the slices' watch", lambda: any(
        endpoint.addresses[0] in addresses
        for _, one in seen["slices"] for endpoint in one.endpoints or []))
    assert up.ask().status == 200

    # Nothing asks for them any more, so the autoscaler takes both away again.
    keep(None)
    wait_for("the pods' end", lambda: core.list_namespaced_pod(NAMESPACE).items == [], seconds=90,
             every=0.2)
    assert apps.read_namespaced_deployment_scale(DEPLOYMENT, NAMESPACE).spec.replicas == 0
    wait_for("the end in the pods' watch",
             lambda: sum(kind == "DELETED" for kind, _ in seen["pods"]) == 2)
    assert ready_endpoints() == []
    stop.set()


def test_an_annotation_edited_live_changes_the_policy(up, kube):
    apps = client.AppsV1Api(kube)
    apps.patch_namespaced_deployment(DEPLOYMENT, NAMESPACE, {
        "metadata": {"annotations": {"autoscaling.knative.dev/min-scale": "1"}}})
    wait_for("one replica", lambda: up.service()["ready"] == 1, seconds=60, every=0.1)
