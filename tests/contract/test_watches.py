"""Watches: what they begin with, where they resume, and how they end."""
import itertools
import threading

from conftest import deployment

LEASES = {"group": "coordination.k8s.io"}
MERGE = "application/merge-patch+json"


def lease(api, name, **labels):
    return api.create("leases", {"metadata": {"name": name, "labels": labels}}, **LEASES)


def label(api, name, **labels):
    return api.call("PATCH", api.path("leases", name, **LEASES), {"metadata": {"labels": labels}},
                    MERGE, expect=200)


def take(api, count, **parameters):
    """The first `count` events, as (type, name)."""
    events = api.watch(api.path("leases", **LEASES), timeoutSeconds=20, **parameters)
    return [(kind, one["metadata"]["name"]) for kind, one in itertools.islice(events, count)]


def soon(function, *arguments, **named):
    threading.Timer(0.3, function, arguments, named).start()


def test_without_a_version_it_begins_with_all_there_is(api):
    lease(api, "a")
    lease(api, "b")
    soon(lease, api, "c")
    assert take(api, 3) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


def test_from_a_lists_version_it_tells_what_came_after(api):
    lease(api, "a")
    version = api.get(api.path("leases", **LEASES))["metadata"]["resourceVersion"]
    lease(api, "b")
    label(api, "b", x="y")
    api.call("DELETE", api.path("leases", "a", **LEASES), expect=200)
    assert take(api, 3, resourceVersion=version) == [
        ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "a")]


def test_it_resumes_from_an_objects_version(api):
    version = lease(api, "a")["metadata"]["resourceVersion"]
    lease(api, "b")
    assert take(api, 1, resourceVersion=version) == [("ADDED", "b")]


def test_what_begins_or_stops_to_match_is_added_or_deleted(api):
    version = lease(api, "a")["metadata"]["resourceVersion"]
    label(api, "a", tier="gold")
    label(api, "a", tier="gold", other="x")
    label(api, "a", tier="lead")
    assert take(api, 3, resourceVersion=version, labelSelector="tier%3Dgold") == [
        ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_deleted_object_carries_the_version_of_its_end(api):
    version = lease(api, "a")["metadata"]["resourceVersion"]
    api.call("DELETE", api.path("leases", "a", **LEASES), expect=200)
    events = api.watch(api.path("leases", **LEASES), resourceVersion=version, timeoutSeconds=20)
    kind, last = next(iter(events))
    assert kind == "DELETED" and int(last["metadata"]["resourceVersion"]) > int(version)


def test_a_version_from_long_ago_is_an_error_event_of_code_410(api):
    api.create("deployments", deployment("iris"))
    events = list(api.watch(api.path("deployments"), resourceVersion=1, timeoutSeconds=20))
    assert len(events) == 1, events
    kind, status = events[0]
    assert kind == "ERROR" and status["kind"] == "Status"
    assert status["code"] == 410 and status["reason"] == "Expired"


def test_initial_events_end_with_their_bookmark(api):
    lease(api, "a")
    events = api.watch(api.path("leases", **LEASES), sendInitialEvents="true",
                       allowWatchBookmarks="true", resourceVersionMatch="NotOlderThan",
                       timeoutSeconds=20)
    first, second = itertools.islice(events, 2)
    assert first[0] == "ADDED" and first[1]["metadata"]["name"] == "a"
    assert second[0] == "BOOKMARK"
    assert second[1]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
    assert int(second[1]["metadata"]["resourceVersion"]) > 0


def test_it_ends_in_order_when_its_time_is_up(api):
    lease(api, "a")
    version = api.get(api.path("leases", **LEASES))["metadata"]["resourceVersion"]
    events = list(api.watch(api.path("leases", **LEASES), resourceVersion=version,
                            timeoutSeconds=1))
    assert [kind for kind, _ in events if kind != "BOOKMARK"] == []


def test_one_object_is_watched_by_name(api):
    version = lease(api, "a")["metadata"]["resourceVersion"]
    lease(api, "b")
    label(api, "a", x="y")
    assert take(api, 1, resourceVersion=version, fieldSelector="metadata.name%3Da") == [
        ("MODIFIED", "a")]


def test_a_watch_of_all_namespaces_sees_this_one(api):
    version = api.get("/apis/apps/v1/deployments")["metadata"]["resourceVersion"]
    api.create("deployments", deployment("iris", tier=api.space))
    events = api.watch("/apis/apps/v1/deployments", resourceVersion=version, timeoutSeconds=20,
                       labelSelector=f"tier%3D{api.space}")
    kind, one = next(iter(events))
    assert kind == "ADDED" and one["metadata"]["namespace"] == api.space
