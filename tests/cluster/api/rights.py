"""What deploy/base/rbac.yaml allows each program, one right at a time, and what the programs asked
for: the API server's audit log names every request of their service accounts, and the role that
allowed it."""
import contextlib
import copy
import dataclasses
import itertools
import json

import urllib3
import yaml
from kubernetes import client, config

from harness import ROOT
from world import API, RUN, kubeconfig

SYSTEM = "pilotlight-system"
AUDIT_LOG = RUN / "log/audit.log"
METHODS = {"get": "GET", "list": "GET", "watch": "GET", "create": "POST", "update": "PUT",
           "patch": "PATCH", "delete": "DELETE"}
PATCH_TYPE = "application/merge-patch+json"


@dataclasses.dataclass(frozen=True)
class Right:
    account: str
    kind: str  # ClusterRole or Role
    role: str
    rule: int  # its place in the role
    group: str
    resource: str  # with its subresource
    verb: str
    name: str | None  # of the one object; None: of any

    def __str__(self):
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.account} {self.verb} {kind}" + (f" {self.name}" if self.name else "")

    def allows(self, asked):
        return (self.account, self.verb, self.group, self.resource) == (
            asked.account, asked.verb, asked.group, asked.resource) and (
                self.name in (None, asked.name)) and (
                    f' of {self.kind} "{self.role}" ' in asked.reason)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that a program made."""
    account: str
    verb: str
    group: str
    resource: str
    name: str | None
    space: str
    uri: str
    allowed: bool
    reason: str

    def __str__(self):
        return f"{self.account}: {self.verb} {self.uri}: {self.reason or 'no reason'}"


def asked_since(offset):
    """Every request that is in the audit log from there on."""
    with AUDIT_LOG.open() as log:
        log.seek(offset)
        events = [json.loads(line) for line in log if line.endswith("\n")]
    return [_asked(event) for event in events if "objectRef" in event]


def _asked(event):
    target, notes = event["objectRef"], event.get("annotations", {})
    resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
    return Asked(event["user"]["username"].rsplit(":", 1)[1], event["verb"],
                 target.get("apiGroup", ""), resource, target.get("name"),
                 target.get("namespace", ""), event["requestURI"],
                 notes.get("authorization.k8s.io/decision") == "allow",
                 notes.get("authorization.k8s.io/reason", ""))


def _documents(*kinds):
    text = (ROOT / "deploy/base/rbac.yaml").read_text()
    return [one for one in yaml.safe_load_all(text) if one["kind"] in kinds]


def _split(rule):
    """Rules of one right each."""
    return [{"apiGroups": [group], "resources": [resource], "verbs": [verb],
             **({"resourceNames": [name]} if name else {})}
            for group, resource, verb, name in itertools.product(
                rule["apiGroups"], rule["resources"], rule["verbs"],
                rule.get("resourceNames", [None]))]


def rights():
    accounts = {(one["roleRef"]["kind"], one["roleRef"]["name"]): one["subjects"][0]["name"]
                for one in _documents("ClusterRoleBinding", "RoleBinding")}
    return [Right(accounts[role["kind"], role["metadata"]["name"]], role["kind"],
                  role["metadata"]["name"], number, one["apiGroups"][0], one["resources"][0],
                  one["verbs"][0], one.get("resourceNames", [None])[0])
            for role in _documents("ClusterRole", "Role")
            for number, rule in enumerate(role["rules"]) for one in _split(rule)]


@contextlib.contextmanager
def without(api_client, right):
    """The role on the server has every right of its own but this one, for as long."""
    role, = (one for one in _documents(right.kind) if one["metadata"]["name"] == right.role)
    less = copy.deepcopy(role["rules"])
    less[right.rule:right.rule + 1] = [
        one for one in _split(role["rules"][right.rule])
        if (one["apiGroups"], one["resources"], one["verbs"], one.get("resourceNames", [None])) != (
            [right.group], [right.resource], [right.verb], [right.name])]
    api = client.RbacAuthorizationV1Api(api_client)

    def put(rules):
        if right.kind == "Role":
            api.patch_namespaced_role(right.role, SYSTEM, {"rules": rules})
        else:
            api.patch_cluster_role(right.role, {"rules": rules})
    put(less)
    try:
        yield
    finally:
        put(role["rules"])


class Account:
    """A service account of ours, with a token as its pod would have one."""

    def __init__(self, api_client, folder, name):
        self.name, self.core = name, client.CoreV1Api(api_client)
        token = self.token()
        self.kubeconfig = kubeconfig(folder / f"{name}.kubeconfig", token=token)
        self.reviews = client.AuthorizationV1Api(
            config.new_client_from_config(str(self.kubeconfig)))
        self.headers = {"Authorization": f"Bearer {token}"}
        self.pool = urllib3.PoolManager(ca_certs=str(RUN / "pki/ca.crt"), retries=False)

    def token(self, *audiences):
        made = self.core.create_namespaced_service_account_token(
            self.name, SYSTEM, {"spec": {"expirationSeconds": 3600, "audiences": audiences}})
        return made.status.token

    def may(self, asked):
        resource, _, subresource = asked.resource.partition("/")
        answer = self.reviews.create_self_subject_access_review({"spec": {"resourceAttributes": {
            "namespace": asked.space, "verb": asked.verb, "group": asked.group,
            "resource": resource, "subresource": subresource, "name": asked.name or ""}}})
        return answer.status.allowed

    def send(self, asked):
        """The same request, with an empty object where one belongs; returns the status. Whether it
        is allowed is decided before the object is read."""
        body = None if asked.verb in ("get", "list", "watch") else "{}"
        kind = PATCH_TYPE if asked.verb == "patch" else "application/json"
        answer = self.pool.request(METHODS[asked.verb], API + asked.uri, body=body, timeout=10,
                                   headers={**self.headers, "Content-Type": kind},
                                   preload_content=False)
        answer.close()
        return answer.status
