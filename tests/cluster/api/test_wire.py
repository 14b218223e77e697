"""Who may speak on the wire, with real tokens, a real certificate and a real API server."""
import contextlib
import re
import ssl

import pytest

from harness import wait_for
from metrics_page import documented, exposed, section
from wire import (ACTIVATOR, ERROR, WELCOME, WirePeer, checkpoint, drained, error_of, hello,
                  history, poke, ready, stats, woken)
from wire_world import (PROTOCOL, REPLACED, SYSTEM, UNAUTHORIZED, WIRE, activator_token,  # noqa: F401
                        data_of, installed, introduce, kubectl, say, say_once, stage, world)
from world import AUTOSCALER, RUN


def refused_and_unheard(world, reason, code, token, *frames, **changes):
    """Says HELLO and, at once behind it, what would change a decision if it were believed."""
    before = world.revision("echo")
    frames = frames or (ready(changes.get("epoch", 7)),)

    def counted():
        count = world.refused(reason)
        answer = say_once(world, token, *frames, **changes)
        return answer and (*answer, world.refused(reason) - count)

    kind, payload, more = wait_for("an answer", counted, 60)
    assert kind == ERROR, (kind, payload)
    assert error_of(payload)[0] == code, error_of(payload)
    assert more == 1
    assert world.revision("echo") == before
    return error_of(payload)[1]


def test_a_forged_sidecar_is_refused_counted_and_changes_no_decision(stage):
    good = stage.token(stage.mine)
    refused_and_unheard(stage, "token", UNAUTHORIZED, "")
    refused_and_unheard(stage, "token", UNAUTHORIZED, good[:-8] + "AAAAAAAA")
    refused_and_unheard(stage, "audience", UNAUTHORIZED, stage.token(stage.mine, audience=None))
    refused_and_unheard(stage, "pod", UNAUTHORIZED, good, replica="theirs",
                        address="10.89.250.2:8012")
    refused_and_unheard(stage, "pod", UNAUTHORIZED, good, space=SYSTEM)
    refused_and_unheard(stage, "pod", UNAUTHORIZED, good, address="10.89.250.2:8012")
    refused_and_unheard(stage, "revision", UNAUTHORIZED, good, revision="other")
    unbound = kubectl("-n", stage.space, "create", "token", "default", "--audience",
                      "pilotlight").strip()
    refused_and_unheard(stage, "pod", UNAUTHORIZED, unbound)


def test_a_sidecars_token_makes_no_activator(stage):
    refused_and_unheard(stage, "role", UNAUTHORIZED, stage.token(stage.mine),
                        poke(stage.space, "echo"), role=ACTIVATOR, space="", revision="")
    assert stage.replicas("echo") == 0


def test_what_the_metrics_page_says_of_tokens_is_exposed(stage):
    assert say(stage, stage.token(stage.mine))[0] == WELCOME
    page = documented(section("Autoscaler"))
    seen = exposed(stage.metrics())
    tokens = {name for name in page | seen if "_token" in name}
    assert tokens and all(seen.get(name) == page.get(name) for name in tokens)


def test_an_older_process_of_a_pod_is_refused(stage):
    token = stage.token(stage.mine)
    kind, _ = say(stage, token, epoch=20)
    assert kind == WELCOME
    refused_and_unheard(stage, "epoch", REPLACED, token, epoch=19)
    kind, _ = say(stage, token, epoch=21)
    assert kind == WELCOME


NOT_A_SIDECARS = {
    "poke": lambda world: poke(world.space, "echo"),
    "checkpoint": lambda world: checkpoint(world.space, "echo"),
    "woken": lambda world: woken(world.space, "echo"),
    "drained": lambda world: drained(world.space, "echo", "theirs", 7),
    "another hello": lambda world: hello(space=world.space, revision="echo", replica="theirs",
                                         address="10.89.250.2:8012", epoch=7)}


@pytest.mark.parametrize("name", NOT_A_SIDECARS)
def test_a_sidecar_that_says_what_is_not_its_to_say_is_put_out_unheard(stage, name):
    before = stage.revision("echo")

    def told():
        peer, kind, payload = wait_for("an answer", lambda: introduce(
            stage, stage.token(stage.mine), NOT_A_SIDECARS[name](stage)), 60)
        assert kind == WELCOME, (kind, payload)
        kind, payload = peer.hear()
        return kind and (kind, payload, peer.hear())

    kind, payload, end = wait_for("what it is told", told)
    assert kind == ERROR and error_of(payload)[0] == PROTOCOL, (kind, payload)
    assert end == (None, b"")
    assert stage.revision("echo") == before
    assert stage.replicas("echo") == 0


def test_a_sidecar_that_is_let_in_speaks_for_itself_alone(stage):
    """What one tells of its own load is what decisions on its revision go by; what it tells of the
    other one, and what another process of the right pod tells, is nothing."""
    guest = stage.pod("guest", "other", "10.89.250.3")
    tokens = stage.token(stage.mine), stage.token(guest), activator_token()
    peers = []

    def let_in(*arguments, **changes):
        peers.append(introduce(stage, *arguments, **changes))
        return peers[-1] and peers[-1][1] == WELCOME and peers[-1][0].is_heard()

    def told_and_decided():
        return let_in(
            tokens[0], stats(stage.space, "echo", 7, 10), stats(stage.space, "other", 7, 10),
            history(stage.space, "other", 7, 10),
        ) and let_in(  # the right revision, but another process of its pod
            tokens[1], stats(stage.space, "other", 8, 10), history(stage.space, "other", 8, 10),
            ready(8), revision="other", replica="guest", address="10.89.250.3:8012",
        ) and let_in(
            tokens[2], poke(stage.space, "echo"), poke(stage.space, "other"),
            role=ACTIVATOR, space="", revision="", replica="activator", address="")

    wait_for("three that are let in", told_and_decided, 60)
    assert 10 in [one["present"] for one in stage.went_by("echo")]
    poked = [one for one in stage.went_by("other") if one["parked"]]
    assert poked, "one that has said READY would not be woken"
    assert {one["present"] for one in poked} == {0}
    # Averages as they were measured: those of the decision are what the POKE says at the least.
    assert {signal[window] for one in poked for signal in one["signals"]
            for window in ("stable", "panic")} == {0}


def test_the_token_of_a_deleted_pod_speaks_for_nobody(stage):
    token = stage.token(stage.mine)
    assert say(stage, token)[0] == WELCOME  # and is remembered as good
    stage.core.delete_namespaced_pod("mine", stage.space, grace_period_seconds=0)
    stage.pod("mine", "echo", "10.89.250.1")  # a new one takes its name
    def refused():
        kind, payload = say(stage, token, epoch=30)
        return kind == ERROR and error_of(payload)[0] == UNAUTHORIZED
    wait_for("the news of it", refused, every=0.2)


def test_plain_bytes_and_other_authorities_come_to_nothing(stage):
    before = stage.refused("tls")
    kind, _ = WirePeer(WIRE).say(hello(space=stage.space, revision="echo", replica="mine")).hear()
    assert kind is None or kind not in (WELCOME, ERROR)
    wait_for("its count", lambda: stage.refused("tls") == before + 1)
    with pytest.raises(ssl.SSLCertVerificationError):
        WirePeer(WIRE, (RUN / "pki/ca.crt").read_text())


def certificate(world):
    """What the wire shows; a handshake that was slow is begun again."""
    def shown():
        with contextlib.suppress(OSError):
            return WirePeer(WIRE, world.ca).certificate
    return wait_for("its certificate", shown)


def test_real_programs_speak_over_tls_and_go_on_through_a_new_certificate(world):
    world.start()
    world.deploy("echo", min_scale="1")  # it stays while the certificate changes
    world.routed("echo")
    assert world.ask("echo").status == 200
    wait_for("the sidecar", lambda: world.revision("echo")["ready"] == 1)
    first = certificate(world)

    kubectl("-n", SYSTEM, "patch", "secret", "pilotlight-wire-tls", "--type=merge", "-p",
            '{"data": {"tls.crt": "", "tls.key": ""}}')
    wait_for("another certificate",
             lambda: data_of("secret", "pilotlight-wire-tls").get("tls.crt"), every=0.1)
    world.mount.renew()
    wait_for("it on the wire", lambda: certificate(world) != first, every=0.1)
    assert world.revision("echo")["ready"] == 1
    assert world.page(AUTOSCALER)["activators"] == 1
    world.apps.patch_namespaced_deployment("echo", world.space, {"metadata": {"annotations": {
        "autoscaling.knative.dev/min-scale": "0"}}})
    world.wait_replicas("echo", 0)
    assert world.ask("echo").status == 200, "a sidecar that has never met the first one"
    # One that was slow, or about which nothing could be found out at once, has come again.
    assert not [line for line in world.autoscaler.text().splitlines() if " refused" in line
                and not re.search(r"\bwhy=(tls|silent|unknown)\b", line)]
