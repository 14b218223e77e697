"""The event log and explain on real runs: what woke, what a start was spent on, what failed and why."""
import json
import os
import re
import signal

from harness import echo_service, iris_manifest, run, wait_for
from http1 import ask_now
from test_iris import ask_for_row, asks_of

LENGTH = r"\d+(\.\d+)? (ms|s)"


def told(up, service, *options):
    done = run("explain", service, *options, state_dir=up.state_dir)
    return done.stdout if done.returncode == 0 else ""


def events(up, service, kind):
    lines = [json.loads(line) for line in told(up, service, "-o", "json").splitlines()]
    return [line for line in lines if line["event"] == kind]


def assert_told(pattern, text):
    assert re.search(pattern, text, re.M), f"{pattern!r} is not in:\n{text}"


def test_iris_tells_why_it_woke_what_that_cost_and_why_it_slept(start):
    up = start(iris_manifest(window="6s"))
    up.wait_asleep("iris")
    flower = [5.1, 3.5, 1.4, 0.2]
    # Whoever stands still for a second in a wake spoils what that one was spent on.
    for wakes in range(1, 4):
        assert ask_for_row(asks_of(up), flower) == 0
        cold = wait_for(f"{wakes} cold starts", lambda w=wakes: len(
            found := events(up, "iris", "cold_start")) >= w and found)[-1]
        up.wait_asleep("iris")
        if is_mostly_the_app(cold["phases_us"]):
            break
    text = told(up, "iris")
    assert_told(r"  0 -> 1 +poke: 1 request parked and no replica ready; 1 / \S+ per replica = \S+, so 1$", text)
    assert_told(rf"  cold start  first answer after {LENGTH}, replica ready after {LENGTH}: "
                rf"decide {LENGTH}, patch {LENGTH}, start {LENGTH}, listen {LENGTH}, ready {LENGTH}, "
                rf"first byte {LENGTH}; \d+ % of it was the app, until it accepted connections$", text)
    assert_told(r"  1 -> 0 +idle: no request for 6 s$", text)
    assert text.index("0 -> 1") < text.index("cold start") < text.index("1 -> 0")

    phases = cold["phases_us"]
    assert is_mostly_the_app(phases), phases
    assert abs(sum(phases.values()) - cold["to_answer_us"]) < 10
    assert phases["listen"] > 500_000, "scikit-learn is not imported in half a second"
    kinds = {line["event"] for line in map(json.loads, told(up, "iris", "-o", "json").splitlines())}
    assert {"poke", "decision", "patch", "replica", "cold_start"} <= kinds


def is_mostly_the_app(phases):
    return (set(phases) == {"decide", "patch", "start", "listen", "ready", "first_byte"} and
            phases["decide"] + phases["patch"] + phases["ready"] < 0.5 * phases["listen"])


def test_a_wake_of_an_app_that_exits_is_told_with_its_last_words(start):
    script = "echo 'out of memory: 3 GB wanted' >&2; exit 7"
    up = start(echo_service(command=("/bin/sh",), args=("-c", script), initial_scale="0",
                            window="6s", timeout_seconds=5))
    assert up.ask(timeout=60).status == 504
    wait_for("the failed wake", lambda: events(up, "echo", "wake_failed"))
    wait_for("the refusal", lambda: events(up, "echo", "refusals"))
    text = told(up, "echo")
    assert_told(rf"  no answer   a request waited {LENGTH} and no replica took it \(deadline\): \S+: "
                r"user-container exited with 7 \(Error\)", text)
    assert "\n    | out of memory: 3 GB wanted\n" in text
    assert_told(rf"  refused     within {LENGTH}: 1 request got 504: their timeoutSeconds was over$",
                text)
    wait_for("a second exit", lambda: len(
        [one for one in events(up, "echo", "replica") if one["phase"] == "exited"]) >= 2)


def test_a_wake_of_an_app_that_is_never_ready_is_told(start):
    up = start(echo_service(args=("--never-listen",), initial_scale="0", window="6s",
                            timeout_seconds=5))
    assert up.ask(timeout=60).status == 504
    wait_for("the failed wake", lambda: events(up, "echo", "wake_failed"))
    assert_told(rf"  no answer   a request waited {LENGTH} .*the app of \S+ has run for {LENGTH} and "
                r"its readiness probe has not succeeded", told(up, "echo"))


def test_what_was_learned_of_wakes_is_exposed(start):
    up = start(echo_service(initial_scale="0", window="6s"))
    up.wait_asleep()
    assert up.ask().status == 200
    host, _ = up.admin("autoscaler")

    def metrics():
        return ask_now((host, 9090), host, "/metrics").body.decode()

    wait_for("the wake in the metrics",
             lambda: 'pilotlight_wake_to_answer_seconds_count{namespace="default",'
                     'revision="echo-00001"} 1' in metrics())
    text = metrics()
    for phase in ("decide", "patch", "listen", "ready", "first_byte"):
        assert f'phase="{phase}"' in text
    for phase in ("scheduled", "image", "init"):
        assert f'phase="{phase}"' not in text, "up has no nodes, images or init containers"
    learned = re.findall(r'^pilotlight_learned_ready_seconds{.*quantile="(\S+)"} (\S+)$', text, re.M)
    assert [quantile for quantile, _ in learned] == ["0.5", "0.95"]
    assert all(0 < float(value) < 10 for _, value in learned)


def test_what_was_refused_while_no_autoscaler_lived_is_told_afterwards(start):
    up = start(echo_service(args=("--never-listen",), initial_scale="0", window="6s",
                            timeout_seconds=1))
    assert up.ask(timeout=60).status == 504
    wait_for("the first one", lambda: events(up, "echo", "refusals"))
    autoscaler = up.pid_of("pilotlight-autoscaler")
    address, host = up.address(), up.host()
    os.kill(up.process.pid, signal.SIGSTOP)  # so that it does not start another one meanwhile
    try:
        os.kill(autoscaler, signal.SIGKILL)
        for _ in range(3):
            assert ask_now(address, host, "/", 60).status == 504
    finally:
        os.kill(up.process.pid, signal.SIGCONT)

    def since():
        return [one for one in events(up, "echo", "refusals") if one.get("unseen")]
    [one] = wait_for("what was refused meanwhile", since, 60)
    assert one["activators"] == {"deadline": 3}
