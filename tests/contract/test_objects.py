"""Objects of the API: made, read, listed, changed and deleted. What a real API server does here,
the laptop's does too."""
import pytest

from conftest import deployment, endpoint_slice
from harness import wait_for

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def test_an_object_gets_its_identity_from_the_server(api):
    made = api.create("deployments", deployment("iris", replicas=0))
    metadata = made["metadata"]
    assert metadata["namespace"] == api.space and metadata["name"] == "iris"
    assert metadata["uid"] and metadata["creationTimestamp"].endswith("Z")
    assert metadata["generation"] == 1
    assert made["kind"] == "Deployment" and made["apiVersion"] == "apps/v1"
    read = api.get(api.path("deployments", "iris"))
    assert read["metadata"]["uid"] == metadata["uid"] and read["spec"]["replicas"] == 0


def test_replicas_default_to_one(api):
    wanted = deployment("iris")
    del wanted["spec"]["replicas"]
    assert api.create("deployments", wanted)["spec"]["replicas"] == 1


def test_lists_are_of_a_namespace_or_of_all_and_obey_selectors(api):
    for name, tier in (("iris", "gold"), ("echo", "lead")):
        api.create("deployments", deployment(name, tier=tier))
    listed = api.get(api.path("deployments"))
    assert listed["kind"] == "DeploymentList" and listed["apiVersion"] == "apps/v1"
    assert {one["metadata"]["name"] for one in listed["items"]} == {"iris", "echo"}
    assert int(listed["metadata"]["resourceVersion"]) > 0

    def names(selector, path="/apis/apps/v1/deployments"):
        items = api.get(f"{path}?labelSelector={selector}")["items"]
        return sorted(one["metadata"]["name"] for one in items
                      if one["metadata"]["namespace"] == api.space)
    assert names("tier%3Dgold") == ["iris"]
    assert names("tier%20in%20(gold,lead)") == ["echo", "iris"]
    assert names("tier!%3Dgold,app") == ["echo"]
    assert names("!tier") == []
    fields = api.get(api.path("deployments") + "?fieldSelector=metadata.name%3Decho")
    assert [one["metadata"]["name"] for one in fields["items"]] == ["echo"]


def test_following_continue_gives_every_object_once(api):
    for index in range(5):
        api.create("leases", {"metadata": {"name": f"l{index}"}}, group="coordination.k8s.io")
    path, names, after = api.path("leases", group="coordination.k8s.io"), [], ""
    while True:
        page = api.get(f"{path}?limit=2&continue={after}")
        names += [one["metadata"]["name"] for one in page["items"]]
        after = page["metadata"].get("continue", "")
        if not after:
            break
    assert names == [f"l{index}" for index in range(5)]


def test_what_is_not_there_is_404_and_says_what(api):
    status, answer = api.call("GET", api.path("deployments", "absent"))
    assert status == 404 and answer["kind"] == "Status" and answer["status"] == "Failure"
    assert answer["reason"] == "NotFound" and answer["code"] == 404
    assert answer["message"] == 'deployments.apps "absent" not found'
    assert answer["details"] == {"name": "absent", "group": "apps", "kind": "deployments"}
    for method, body in (("DELETE", None), ("PATCH", {})):
        assert api.call(method, api.path("deployments", "absent"), body, MERGE)[0] == 404


def test_a_name_is_taken_once(api):
    api.create("deployments", deployment("iris"))
    status, answer = api.call("POST", api.path("deployments"), deployment("iris"))
    assert status == 409 and answer["reason"] == "AlreadyExists"
    assert answer["message"] == 'deployments.apps "iris" already exists'


def test_a_stale_write_is_refused(api):
    path = api.path("leases", "leader", group="coordination.k8s.io")
    old = api.create("leases", {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a"}},
                     group="coordination.k8s.io")
    old["spec"]["holderIdentity"] = "b"
    new = api.call("PUT", path, old, expect=200)
    assert new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]
    status, answer = api.call("PUT", path, old)
    assert status == 409 and answer["reason"] == "Conflict"
    version = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}}
    patch = {**version, "spec": {"holderIdentity": "c"}}
    assert api.call("PATCH", path, patch, MERGE)[0] == 409
    assert api.get(path)["spec"]["holderIdentity"] == "b"
    patch["metadata"]["resourceVersion"] = new["metadata"]["resourceVersion"]
    assert api.call("PATCH", path, patch, MERGE)[0] == 200


def test_a_write_that_changes_nothing_makes_no_new_version(api):
    api.create("leases", {"metadata": {"name": "same"}}, group="coordination.k8s.io")
    path = api.path("leases", "same", group="coordination.k8s.io")
    patch = {"metadata": {"labels": {"a": "b"}}}
    first = api.call("PATCH", path, patch, MERGE, expect=200)
    again = api.call("PATCH", path, patch, MERGE, expect=200)
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


def test_generation_counts_changes_of_the_spec_alone(api):
    api.create("deployments", deployment("iris"))
    path = api.path("deployments", "iris")
    labelled = api.call("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE, expect=200)
    assert labelled["metadata"]["generation"] == 1
    patch = {"spec": {"minReadySeconds": 3}}
    assert api.call("PATCH", path, patch, MERGE, expect=200)["metadata"]["generation"] == 2


def test_patches_of_every_kind(api):
    wanted = deployment("iris")
    wanted["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    api.create("deployments", wanted)
    path = api.path("deployments", "iris")

    merged = api.call("PATCH", path, {"metadata": {"labels": {"x": "y", "app": None}}}, MERGE,
                      expect=200)
    assert merged["metadata"]["labels"] == {"x": "y"}

    containers = [{"name": "main", "env": [{"name": "B", "value": "2"}]},
                  {"name": "side", "image": "other"}]
    strategic = {"spec": {"template": {"spec": {"containers": containers}}}}
    done = api.call("PATCH", path, strategic, STRATEGIC, expect=200)
    by_name = {one["name"]: one for one in done["spec"]["template"]["spec"]["containers"]}
    assert by_name.keys() == {"main", "side"} and by_name["main"]["image"] == "none"
    assert {one["name"]: one["value"] for one in by_name["main"]["env"]} == {"A": "1", "B": "2"}

    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    done = api.call("PATCH", path, gone, STRATEGIC, expect=200)
    assert [one["name"] for one in done["spec"]["template"]["spec"]["containers"]] == ["main"]

    steps = [{"op": "test", "path": "/spec/replicas", "value": 0},
             {"op": "add", "path": "/metadata/labels/via", "value": "steps"}]
    assert api.call("PATCH", path, steps, JSON_PATCH,
                    expect=200)["metadata"]["labels"]["via"] == "steps"
    steps[0]["value"] = 7
    assert api.call("PATCH", path, steps, JSON_PATCH)[0] == 422


def test_scale_is_a_small_object_of_its_own(api):
    api.create("deployments", deployment("iris"))
    path = api.path("deployments", "iris", "scale")
    scale = api.get(path)
    assert scale["kind"] == "Scale" and scale["apiVersion"] == "autoscaling/v1"
    assert scale["status"]["selector"] == "app=iris"
    patched = api.call("PATCH", path, {"spec": {"replicas": 2}}, MERGE, expect=200)
    assert patched["kind"] == "Scale" and patched["spec"]["replicas"] == 2
    assert api.get(api.path("deployments", "iris"))["spec"]["replicas"] == 2
    status, answer = api.call("PATCH", path, {"spec": {"replicas": -1}}, MERGE)
    assert status == 422 and answer["reason"] == "Invalid" and answer["details"]["kind"] == "Scale"

    def put():
        scale = api.get(path)
        del scale["spec"]["replicas"]  # how Go writes a zero
        status, answer = api.call("PUT", path, scale)
        # A cluster's controllers write the status of the Deployment, and may have done so just now.
        assert status == 200 or (api.real and status == 409), answer
        return status == 200 and (scale, answer)
    scale, answer = wait_for("a version that is still the last one", put)
    assert answer["spec"].get("replicas", 0) == 0
    assert api.call("PUT", path, scale)[0] == 409


def test_status_is_written_through_its_subresource_alone(api):
    api.create("services", {"metadata": {"name": "web"}, "spec": {
        "type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "x"}}}, group="")
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    patch = {"status": ingress, "spec": {"sessionAffinity": "ClientIP"}}
    path = api.path("services", "web", group="")
    done = api.call("PATCH", path + "/status", patch, MERGE, expect=200)
    assert done["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    assert done["spec"].get("sessionAffinity") != "ClientIP"
    done = api.call("PATCH", path, {"status": {"loadBalancer": None},
                                    "metadata": {"labels": {"a": "b"}}}, MERGE, expect=200)
    assert done["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"


def test_delete_says_so_and_is_final(api):
    made = api.create("deployments", deployment("iris"))
    path = api.path("deployments", "iris")
    wrong = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    assert api.call("DELETE", path, wrong)[0] == 409
    answer = api.call("DELETE", path, {"preconditions": {"uid": made["metadata"]["uid"]}},
                      expect=200)
    assert answer["kind"] == "Status" and answer["status"] == "Success"
    assert answer["details"]["uid"] == made["metadata"]["uid"]
    assert api.call("GET", path)[0] == 404


def test_a_collection_is_deleted_by_selector(api):
    for name in ("a", "b", "c"):
        api.create("leases", {"metadata": {"name": name, "labels": {"keep": str(name == "c")}}},
                   group="coordination.k8s.io")
    path = api.path("leases", group="coordination.k8s.io")
    api.call("DELETE", path + "?labelSelector=keep%3DFalse", expect=200)
    assert [one["metadata"]["name"] for one in api.get(path)["items"]] == ["c"]


def test_endpoint_slices_keep_what_was_written(api):
    path = api.path("endpointslices", "private", group="discovery.k8s.io")
    api.create("endpointslices", endpoint_slice("private", "10.89.128.7", "10.89.128.8"),
               group="discovery.k8s.io")
    read = api.get(path)
    assert [one["addresses"] for one in read["endpoints"]] == [["10.89.128.7"], ["10.89.128.8"]]
    assert all(one["conditions"]["ready"] for one in read["endpoints"])
    assert [(port["name"], port["port"]) for port in read["ports"]] == [("http", 8012)]


def test_only_a_laptop_has_replicas_on_loopback(api):
    """The one thing in which the two differ, and why: processes of one machine have no other."""
    status, answer = api.call("POST", api.path("endpointslices", group="discovery.k8s.io"),
                              endpoint_slice("loop", "127.77.3.10"))
    assert status == (422 if api.real else 201), answer


@pytest.mark.parametrize("method, path, body, kind, expected", [
    ("POST", "deployments/iris", b"{}", "application/json", 405),
    ("POST", "deployments", b"not json", "application/json", 400),
    ("POST", "deployments", b'{"kind":"Pod","apiVersion":"v1"}', "application/json", 400),
    ("POST", "deployments", b"{}", "application/xml", 415),
    ("PATCH", "deployments/iris", b"{}", "text/plain", 415),
    ("PATCH", "deployments/iris", b"[", MERGE, 400),
    ("PUT", "deployments/iris", b'{"metadata":{"name":"other"}}', "application/json", 400),
    ("GET", "deployments?labelSelector=a%3Db%3Dc", None, "", 400),
    ("GET", "nonsense", None, "", 404),
])
def test_refusals(api, method, path, body, kind, expected):
    api.create("deployments", deployment("iris"))
    response = api.send(method, api.path(path), body, kind)
    assert response.status == expected, response.data


@pytest.mark.parametrize("change, field", [
    (lambda it: it["spec"].pop("selector"), "spec.selector"),
    (lambda it: it["spec"]["template"]["metadata"].update(labels={"app": "other"}),
     "spec.template.metadata.labels"),
    (lambda it: it["spec"].update(replicas=-1), "spec.replicas"),
    (lambda it: it["spec"]["template"]["spec"].update(containers=[]),
     "spec.template.spec.containers"),
    (lambda it: it["metadata"].update(name="Upper"), "metadata.name"),
])
def test_a_bad_deployment_is_422_and_names_the_field(api, change, field):
    wanted = deployment("iris")
    change(wanted)
    status, answer = api.call("POST", api.path("deployments"), wanted)
    assert status == 422 and answer["reason"] == "Invalid", answer
    assert field in [cause["field"] for cause in answer["details"]["causes"]]


def test_the_selector_does_not_change(api):
    api.create("deployments", deployment("iris"))
    patch = {"spec": {"selector": {"matchLabels": {"app": "x"}},
                      "template": {"metadata": {"labels": {"app": "x"}}}}}
    status, answer = api.call("PATCH", api.path("deployments", "iris"), patch, MERGE)
    assert status == 422 and "immutable" in answer["message"]


def test_there_is_nobody_else_who_scales(api):
    found = api.get(f"/apis/autoscaling/v2/namespaces/{api.space}/horizontalpodautoscalers")
    assert found["items"] == [] and found["metadata"]["resourceVersion"]


def test_private_services_are_found_by_their_label(api):
    for name, private in (("a", "true"), ("b", "false")):
        api.create("services", {"metadata": {"name": name, "labels": {"private": private}},
                                "spec": {"clusterIP": "None"}}, group="")
    path = api.path("services", group="")
    found = api.get(path + "?labelSelector=private%3Dtrue")["items"]
    assert [one["metadata"]["name"] for one in found] == ["a"]
    api.call("PATCH", path + "/a", {"metadata": {"annotations": {"path": "serve"}}}, expect=200,
             kind="application/merge-patch+json")
    assert api.get(path + "/a")["metadata"]["annotations"] == {"path": "serve"}


def test_credentials_are_asked_for(api):
    host = api.client.configuration.host.partition("/t/")[0]
    response = api.client.rest_client.pool_manager.request(
        "GET", host + api.path("deployments"), headers={"Authorization": "Bearer wrong"},
        retries=False)
    # With a client certificate a real server does not look at the token.
    assert response.status == (200 if api.client.configuration.cert_file else 401)


def test_discovery_is_enough_for_kubectl(api):
    assert "v1" in api.get("/api")["versions"]
    groups = {group["name"] for group in api.get("/apis")["groups"]}
    assert {"apps", "discovery.k8s.io", "coordination.k8s.io"} <= groups
    found = {one["name"]: one for one in api.get("/apis/apps/v1")["resources"]}
    assert found["deployments"]["kind"] == "Deployment" and found["deployments"]["namespaced"]
    assert {"get", "list", "watch", "create", "update", "patch", "delete"} <= set(
        found["deployments"]["verbs"])
    assert found["deployments/scale"]["kind"] == "Scale"
    assert api.get("/version")["gitVersion"].startswith("v")
