"""deploy/base/rbac.yaml gives each program what it asks for and nothing else.

The programs run with the tokens of their own service accounts through all that needs a right. Then
the API server's audit log says what each was used for, and every right is taken away on its own.
"""
import contextlib
import json
import uuid

import pytest
import yaml
from kubernetes import client, config

from harness import ROOT, wait_for
from http1 import ask_now
from installation import ACTIVATORS, CONFIG, addresses, apply, get, installation, kubectl, slices
from rights import AUDIT_LOG, SYSTEM, Account, asked_since, rights, without
from test_doors import DirectKubelet, activator, deployment, lead, port_of, service
from wire_world import Mount, data_of, pod_token
from world import AUTOSCALER, Kept, listens, new_namespace

SPACE = f"rights-{uuid.uuid4().hex[:8]}"
PROGRAMS = ["pilotlight-activator", "pilotlight-autoscaler", "pilotlight-controller"]
SHRINKS = 4  # at most


def as_deployed(name, own):
    """The arguments that deploy/base gives a program, but for those that are others here."""
    documents = yaml.safe_load_all((ROOT / f"deploy/base/{name}.yaml").read_text())
    pod, = (one["spec"]["template"]["spec"] for one in documents if one["kind"] == "Deployment")
    flags = dict(each.removeprefix("--").split("=", 1) for each in pod["containers"][0]["args"])
    return [f"--{flag}={value}".replace("$(POD_NAMESPACE)", SYSTEM)
            for flag, value in {**flags, **own}.items()]


def heard(count):
    """Whether the autoscaler has that many replicas on the wire that are ready."""
    with contextlib.suppress(OSError, EOFError):  # it may be starting again
        page = json.loads(ask_now((AUTOSCALER, 8022), AUTOSCALER, "/status", 10).body)
        return any(one.get("namespace") == SPACE and one.get("ready") == count
                   for one in page["revisions"])
    return False


def marks(asked):
    """Whether a pod was told to go first."""
    return any((one.verb, one.resource) == ("patch", "pods") for one in asked)


def scenario(controller, begun):
    """A Service is taken over, wakes, follows its activators, shrinks, and is given back. The audit
    log tells of it from `begun` on."""
    apply(service(), SPACE)
    wait_for("Kubernetes' own slice", lambda: slices(SPACE))
    apply(deployment(), SPACE)
    wait_for("the activators behind it", lambda: addresses(SPACE) == sorted(ACTIVATORS))
    wait_for("no slice of Kubernetes", lambda: len(slices(SPACE)) == 1)
    assert ask_now((ACTIVATORS[0], port_of(SPACE)), "any.host", "/", 120).status == 200
    lead(ACTIVATORS[1], ready=False)
    wait_for("one activator", lambda: addresses(SPACE) == [ACTIVATORS[0]])
    for count in (2, 1) * SHRINKS:
        kubectl("-n", SPACE, "annotate", "--overwrite", "deployment", "iris",
                f"autoscaling.knative.dev/min-scale={count}")
        wait_for(f"{count} replicas", lambda n=count: get(
            "deployment", "iris", SPACE)["status"].get("availableReplicas") == n, every=0.1)
        # It tells Kubernetes which of two to end only when it has heard both, and one that has
        # started again meanwhile may not have.
        wait_for(f"{count} on the wire", lambda n=count: heard(n), every=0.1)
        if count == 1 and marks(asked_since(begun)):
            break
    kubectl("-n", SPACE, "annotate", "deployment", "iris",
            "autoscaling.knative.dev/target-burst-capacity=0")

    def straight():  # what is idle goes through the activators
        ask_now((ACTIVATORS[0], port_of(SPACE)), "any.host", "/?sleep=500", 30)
        return get("service", "iris-private", SPACE)["metadata"].get("annotations", {}).get(
            "pilotlight.dev/traffic-path") == "serve"

    wait_for("requests that go straight to the pods", straight)
    controller.settle()
    kubectl("-n", SPACE, "label", "deployment", "iris", "pilotlight.dev/inject-")
    wait_for("the selector again", lambda: "selector" in get("service", "flower", SPACE)["spec"])
    wait_for("no slice of ours", lambda: all("pilotlight" not in one["metadata"]["name"]
                                             for one in slices(SPACE)))
    wait_for("the private Service gone", lambda: kubectl(
        "-n", SPACE, "get", "service", "iris-private", check=False).returncode != 0)


class Session:
    """Runs the scenario once, and says afterwards how it ended and what was asked for."""

    def __init__(self, folder):
        self.begun = AUDIT_LOG.stat().st_size if AUDIT_LOG.exists() else 0
        self.folder, self.accounts, self.programs, self.failure = folder, {}, [], None
        self.api = config.new_client_from_config(str(CONFIG))
        self.asked = []

    def access(self, name):
        if name not in self.accounts:
            self.accounts[name] = Account(self.api, self.folder, name)
        return self.accounts[name].kubeconfig

    def certificate(self):
        """The autoscaler's, as a kubelet mounts it."""
        wait_for("the wire's certificate", lambda: data_of("secret", "pilotlight-wire-tls"))
        return Mount(self.folder / "wire-tls").folder

    def wire_arguments(self):
        """What an activator is told of the wire."""
        ca, token = self.folder / "ca.crt", self.folder / "activator.token"
        ca.write_text(wait_for("the CA", lambda: data_of("configmap", "pilotlight-ca"))["ca.crt"])
        token.write_text(self.accounts["pilotlight-activator"].token("pilotlight"))
        return "--autoscaler-ca", ca, "--token-file", token

    def sidecar_environment(self, pod):
        token = self.folder / f"{pod.metadata.uid}.token"
        token.write_text(pod_token(client.CoreV1Api(self.api), pod))
        return {"PILOTLIGHT_AUTOSCALER_CA": (self.folder / "ca.crt").read_text(),
                "PILOTLIGHT_TOKEN_FILE": str(token)}

    def run(self, controller):
        new_namespace(client.CoreV1Api(self.api), SPACE)
        kubelet = DirectKubelet(self.api, SPACE, self.folder)
        no_config = self.folder / "config-autoscaler"  # as an optional ConfigMap is mounted
        no_config.mkdir()
        try:
            kubelet.environment = self.sidecar_environment
            self.programs = [Kept(self.folder, "pilotlight-autoscaler", *as_deployed(
                "autoscaler", {"kubeconfig": self.access("pilotlight-autoscaler"),
                               "address": AUTOSCALER, "wire-tls": self.certificate(),
                               "config-autoscaler": no_config}))]
            access = self.access("pilotlight-activator")
            self.programs += [
                activator(self.folder, number, access=access, arguments=self.wire_arguments())
                for number in range(len(ACTIVATORS))]
            wait_for("the programs", lambda: listens(AUTOSCALER, 9444) and all(
                listens(address, 8012) for address in ACTIVATORS))
            scenario(controller, self.begun)
        finally:
            for program in reversed(self.programs):
                program.stop()
            kubelet.stop()
            kubectl("delete", "namespace", SPACE, "--wait=false")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    made = Session(tmp_path_factory.mktemp("rights"))
    with contextlib.ExitStack() as stack:
        try:
            made.run(stack.enter_context(installation(made.access)))
        except Exception as failure:  # what was refused says more: told by the tests
            made.failure = failure
        made.asked = asked_since(made.begun)
        yield made


def test_with_these_rights_everything_works(session):
    assert session.failure is None, "\n".join(
        [repr(session.failure), *(program.text()[-2000:] for program in session.programs)])


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_asks_for_more(session, program):
    asked = [one for one in session.asked if one.account == program]
    assert asked
    assert not {str(one) for one in asked if not one.allowed}
    # Nor by what Kubernetes allows everybody: another cluster may allow less.
    given = rights()
    assert not {str(one) for one in asked if not any(right.allows(one) for right in given)}


@pytest.mark.parametrize("right", rights(), ids=str)
def test_a_right_is_used_and_missed_when_it_is_gone(session, right):
    asked = next((one for one in session.asked if one.allowed and right.allows(one)), None)
    assert asked, f"nobody asked for it ({session.failure or 'and everything worked'})"
    session.access(right.account)
    account = session.accounts[right.account]
    assert account.may(asked)
    with without(session.api, right):
        wait_for(f"the end of: {right}", lambda: not account.may(asked), seconds=10)
        assert account.send(asked) == 403
