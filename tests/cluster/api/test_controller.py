"""The controller against a real API server and its endpoint controllers; no pod runs."""
import json
import re
import subprocess
import threading
import time
import urllib.request

import pytest
import yaml

from harness import PILOTLIGHT, ROOT, wait_for
from installation import (ACTIVATORS, SYSTEM, activators, addresses, apply, deployment,  # noqa: F401
                          get, given_back, installed, kubectl, service, slices, space, status,
                          taken)
from metrics_page import documented, exposed, section

SHAPES = sorted((ROOT / "tests/controller/data").glob("[0-9]*.yaml"))
EXAMPLES = sorted((ROOT / "examples").glob("*/service.yaml"))
# What the API server fills in where nobody has said anything.
DEFAULTED = {
    "apiVersion", "defaultMode", "dnsPolicy", "enableServiceLinks", "expirationSeconds",
    "failureThreshold", "imagePullPolicy", "path", "periodSeconds", "preemptionPolicy", "priority",
    "protocol", "requests", "resources", "restartPolicy", "schedulerName", "scheme",
    "securityContext", "serviceAccount", "serviceAccountName", "successThreshold",
    "terminationGracePeriodSeconds", "terminationMessagePath", "terminationMessagePolicy",
    "timeoutSeconds"}


def ours(named):
    return {key: value for key, value in named.items() if key.startswith("pilotlight.dev/")}


def as_installed_here(path):
    """A golden pod with the image, the address and the authority of this installation."""
    golden = yaml.safe_load(path.read_text())
    sidecar = golden["spec"]["initContainers"][0]
    sidecar["image"] = "pilotlight-proxy:latest"
    del sidecar["imagePullPolicy"]
    here = {"PILOTLIGHT_AUTOSCALER_CA": get("configmap", "pilotlight-ca", SYSTEM)["data"]["ca.crt"],
            "PILOTLIGHT_AUTOSCALER": "%s:9444" % get("service", "pilotlight-autoscaler", SYSTEM)[
                "spec"]["clusterIP"]}
    for variable in sidecar["env"]:
        if variable["name"] in here:
            variable["value"] = here[variable["name"]]
    return golden


def by_admission(entry):
    """Mounts and tolerations that Kubernetes' own admission adds to every pod."""
    return isinstance(entry, dict) and (
        entry.get("name", "").startswith("kube-api-access-") or
        entry.get("key", "").startswith("node.kubernetes.io/"))


def differences(wanted, got, at):
    """Where the server's object is not the golden one with defaults filled in."""
    if isinstance(wanted, str) and wanted.startswith(('{"', '[{"')) and wanted != got:
        wanted, got = json.loads(wanted), json.loads(got or "null")  # a probe, in a variable
    if isinstance(wanted, list) or isinstance(got, list):
        wanted, got = wanted or [], [entry for entry in got or [] if not by_admission(entry)]
        if len(wanted) != len(got):
            yield f"{at}: got {got}, expected {wanted}"
        for number, pair in enumerate(zip(wanted, got)):
            yield from differences(*pair, f"{at}[{number}]")
    elif isinstance(wanted, dict) and isinstance(got, dict):
        for key in sorted(wanted.keys() | got.keys()):
            if key in wanted or key not in DEFAULTED:
                yield from differences(wanted.get(key), got.get(key), f"{at}.{key}")
    elif wanted != got and (wanted, got) != ("", None):
        yield f"{at}: got {got!r}, expected {wanted!r}"


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
    made, golden = json.loads(done.stdout), as_installed_here(path.with_suffix(".golden"))
    assert not list(differences(golden["spec"], made["spec"], "spec"))
    for kind in ("labels", "annotations"):
        assert made["metadata"].get(kind, {}) == golden["metadata"].get(kind, {})
    assert "pilotlight-proxy" not in done.stderr, f"PodSecurity minds the sidecar: {done.stderr}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_what_convert_makes_of_an_example_is_accepted_by_the_server(installed, space, path):
    converted = subprocess.run([PILOTLIGHT, "convert", "-f", path], check=True, text=True,
                               capture_output=True).stdout
    made = json.loads(kubectl("-n", space, "apply", "--dry-run=server", "-o", "json", "-f", "-",
                              text=converted).stdout)["items"]
    assert [(one["kind"], one["metadata"]["name"]) for one in made] == [
        ("Deployment", path.parent.name), ("Service", path.parent.name)]
    wanted, got = [one["spec"]["template"]["spec"]
                   for one in (next(yaml.safe_load_all(converted)), made[0])]
    assert not list(differences(wanted, got, "spec"))


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
    given_back(space)


def reason_for(installed, space, name="flower"):
    """Why a Service is left alone, or ""."""
    return "".join(one["reason"] for one in status(installed.admin)["left_alone"]
                   if (one["namespace"], one["service"]) == (space, name))


@pytest.fixture
def node(space):
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{space}"}}
    apply(made)
    yield made["metadata"]["name"]
    kubectl("delete", "node", f"node-{space}")


def run_pod(space, node, name, address, **labels):
    """A pod that is ready, as its kubelet says."""
    apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
           "spec": {"nodeName": node, "containers": [{"name": "m", "image": "i"}]}}, space)
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
              "conditions": [{"type": "Ready", "status": "True"}]}
    kubectl("-n", space, "patch", "pod", name, "--subresource=status", "--type=merge", "-p",
            json.dumps({"status": status}))


def test_pods_that_run_serve_on_until_one_with_a_sidecar_is_ready(installed, space, activators,
                                                                  node):
    apply(service(), space)
    run_pod(space, node, "iris-6d5f7c9b8-aaaaa", "10.89.250.1", app="iris")
    wait_for("the old pod behind it", lambda: addresses(space) == ["10.89.250.1"])
    before = get("service", "flower", space)["spec"]
    apply(deployment(), space)
    wait_for("the Service in preparation", lambda: reason_for(installed, space))
    now = get("service", "flower", space)
    activators.listen(int(now["metadata"]["annotations"]["pilotlight.dev/activator-port"]))
    installed.crash()
    installed.settle()
    assert "sidecar" in reason_for(installed, space)
    assert get("service", "flower", space)["spec"] == before
    assert addresses(space) == ["10.89.250.1"]
    run_pod(space, node, "iris-7f6b5d4c3-bbbbb", "10.89.250.2", app="iris",
            **{"serving.knative.dev/revision": "iris"})
    taken(space, activators)
    installed.settle()
    assert not reason_for(installed, space)
    kubectl("-n", space, "delete", "pod", "--all", "--grace-period=0", "--force")
    wait_for("no pod behind the private Service", lambda: not addresses(space, "iris-private"))
    installed.settle()
    assert addresses(space) == sorted(ACTIVATORS), "asleep is no way back"


@pytest.mark.parametrize("change, reason", [
    ({"type": "NodePort", "externalTrafficPolicy": "Local"}, "externalTrafficPolicy: got Local"),
    ({"internalTrafficPolicy": "Local"}, "internalTrafficPolicy: got Local")])
def test_a_service_of_its_own_node_alone_is_left_alone(installed, space, change, reason):
    local = service()
    local["spec"] |= change
    apply(local, space)
    apply(deployment(), space)
    wait_for("the reason", lambda: reason in reason_for(installed, space))
    assert get("service", "flower", space)["spec"]["selector"] == {"app": "iris"}


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


def test_replacing_the_service_changes_nothing(installed, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    before = taken(space, activators)
    changed = service()
    changed["spec"]["ports"][0]["port"] = 81
    now = json.loads(kubectl("-n", space, "replace", "-f", "-", "-o", "json",
                             text=json.dumps(changed)).stdout)
    assert "selector" not in now["spec"], "it never leads past the activators"
    assert now["spec"]["ports"][0]["port"] == 81
    for kind in ("labels", "annotations"):
        assert ours(now["metadata"][kind]) == ours(before["metadata"][kind])
    installed.settle()
    assert addresses(space) == sorted(ACTIVATORS)
    kubectl("-n", space, "label", "deployment", "iris", "pilotlight.dev/inject-")
    given_back(space)


def test_a_deleted_service_takes_our_slices_with_it(installed, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    installed.settle()
    kubectl("-n", space, "delete", "service", "flower")
    wait_for("no slice", lambda: not slices(space))
    assert get("service", "iris-private", space), "the pods are still there for others"
    apply(service(), space)  # the same name again
    taken(space, activators)


def test_a_deleted_deployment_gives_its_service_back(installed, space, activators):
    apply(deployment(), space)
    apply(service(), space)
    taken(space, activators)
    kubectl("-n", space, "delete", "deployment", "iris")
    given_back(space)


def release(space, app):
    wait_for("an answered webhook", lambda: kubectl(
        "-n", space, "label", "deployment", app, "pilotlight.dev/inject-",
        check=False).returncode == 0)


def test_killed_at_any_moment_it_comes_to_the_same_end(installed, space, activators):
    """A takeover and a way back, each with a kill a little later than the one before."""
    names = [(f"iris{number}", f"flower{number}") for number in range(5)]
    for number, (app, name) in enumerate(names):
        apply(deployment(app), space)
        apply(service(name, app), space)
        time.sleep(0.02 * number)
        installed.crash()
    for app, name in names:
        taken(space, activators, name)
    installed.settle()
    ports = {get("service", name, space)["metadata"]["annotations"][
        "pilotlight.dev/activator-port"] for _, name in names}
    assert len(ports) == 5, "each has its own"
    for number, (app, name) in enumerate(names):
        asked = threading.Thread(target=release, args=(space, app))
        asked.start()
        time.sleep(0.04 + 0.02 * number)  # kubectl itself takes a while
        installed.crash()
        asked.join()
    for app, name in names:
        given_back(space, name, app)


def test_the_metrics_page_is_what_is_exposed(installed, space, activators):
    refuse = deployment(annotations={"autoscaling.knative.dev/window": "soon"})
    kubectl("-n", space, "apply", "-f", "-", text=json.dumps(refuse), check=False)
    apply(service(), space)
    apply(deployment(), space)
    installed.settle()
    with urllib.request.urlopen(f"http://127.0.0.1:{installed.metrics}/metrics",
                                timeout=5) as answer:
        text = answer.read().decode()
    assert exposed(text) == documented(section("Controller"))
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
