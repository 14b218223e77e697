"""A real node under load while everything that may happen to it happens: no request is lost."""
import asyncio
import json
import os
import pathlib
import re
import signal
import time

import pytest

import demo
from app import leading_autoscaler, process_ids
from http1 import ask
from load import Arrivals, in_thread, wait_for

ROUNDS = int(os.environ.get("PILOTLIGHT_NODE_ROUNDS", 10))


def check(account, least):
    assert account.lost == 0, (account.lost, account.total, account.failures[:10])
    assert account.total >= least, account.total
    assert account.most_at_once <= 4, "the limit is exact"


async def until_awake(app, count):
    await wait_for(f"{count} ready replicas", lambda: app.ready(count), seconds=120)


@pytest.mark.parametrize("app", [{"max_scale": 5}], indirect=True)
def test_a_hundred_a_second_from_zero_to_five_and_back(app):
    async def one_round():
        load = Arrivals(app.address, "any.host", "/?sleep=150", rate=100)
        await until_awake(app, 5)
        before = load.account.total
        await asyncio.sleep(5)
        answered = load.account.total - before
        assert answered >= 5 * 90, f"{answered} answers in 5 s"
        load.rate = 5  # replicas go while requests come
        await wait_for("one replica", lambda: app.replicas()[0] == 1, seconds=120)
        account = await load.stop()
        # The first one after the decision to sleep, while the last replica goes.
        await wait_for("none wanted", lambda: app.replicas()[0] == 0, seconds=120, every=0.02)
        late = await ask(app.address, "any.host", "/hello")
        assert late.status == 200, late.body
        return account

    for number in range(ROUNDS):
        account = asyncio.run(one_round())
        check(account, 700)
        demo.wait_for("sleep", app.asleep, seconds=120)
        print(f"round {number + 1} of {ROUNDS}: {account.total} requests", flush=True)


@pytest.mark.parametrize("app", [{"min_scale": 2}], indirect=True)
def test_a_rolling_update_of_the_deployment(app):
    async def run():
        await until_awake(app, 2)
        load = app.load(clients=12)
        await asyncio.sleep(2)
        before = set(app.pods())
        for version in range(3):
            await in_thread(lambda v=version: app.kubectl(
                "set", "env", "deployment/echo", f"VERSION={v}"))
            await in_thread(lambda: app.kubectl("rollout", "status", "deployment/echo",
                                                "--timeout=120s"))
        await asyncio.sleep(2)
        check(await load.stop(), 100)
        assert not before & set(app.pods())

    asyncio.run(run())


def test_a_running_deployment_comes_to_us_and_leaves_again(stranger):
    async def run():
        load = Arrivals(stranger.address, "any.host", "/?sleep=20", rate=100)

        async def answers(count):
            least = load.account.total + count
            await wait_for("answers", lambda: load.account.total >= least, seconds=120)

        await answers(200)
        await in_thread(stranger.adopt)
        await wait_for("sidecars in all pods", lambda: stranger.sidecars() == {True}, seconds=120)
        await answers(200)
        await in_thread(stranger.leave)
        await wait_for("no sidecar in any pod", lambda: stranger.sidecars() == {False}, seconds=120)
        await answers(200)
        return await load.stop()

    account = asyncio.run(run())
    assert account.lost == 0, (account.lost, account.total, account.failures[:10])


@pytest.mark.parametrize("app", [{"min_scale": 2}], indirect=True)
def test_deleted_pods(app):
    async def run():
        await until_awake(app, 2)
        load = app.load(clients=8)
        await asyncio.sleep(1)
        for _ in range(5):
            victim = app.pods()[0]
            await in_thread(lambda v=victim: app.kubectl("delete", "pod", v))
            await until_awake(app, 2)
        check(await load.stop(), 100)

    asyncio.run(run())


@pytest.mark.parametrize("app", [{"min_scale": 2}], indirect=True)
def test_deleted_pods_with_long_requests_in_flight(app):
    async def run():
        await until_awake(app, 2)
        long = [asyncio.create_task(ask(app.address, "any.host", "/?sleep=20000"))
                for _ in range(6)]
        await asyncio.sleep(1)
        load = app.load(clients=2)
        for victim in app.pods():
            await in_thread(lambda v=victim: app.kubectl("delete", "pod", v, "--wait=false"))
        answers = await asyncio.gather(*long)
        assert [answer.status for answer in answers] == [200] * 6
        await until_awake(app, 2)
        check(await load.stop(), 10)

    asyncio.run(run())


@pytest.mark.parametrize("app", [{"min_scale": 2, "max_scale": 4, "target_burst_capacity": 4}],
                         indirect=True)
def test_past_the_activators_and_back(app):
    """Requests go straight to the pods while there is room, through the activators while there is
    none; pods are deleted and replaced on either way."""
    async def run():
        await until_awake(app, 2)
        load = app.load(clients=2)
        await wait_for("a Service that leads to the pods", lambda: app.leads_to() == app.pod_ips())
        for version in range(2):
            victim = app.pods()[0]
            await in_thread(lambda v=victim: app.kubectl("delete", "pod", v))
            await until_awake(app, 2)
            await in_thread(lambda v=version: app.kubectl(
                "set", "env", "deployment/echo", f"VERSION={v}"))
            await in_thread(lambda: app.kubectl("rollout", "status", "deployment/echo",
                                                "--timeout=120s"))
            crowd = app.load(clients=24)
            await wait_for("a Service that leads to the activators",
                           lambda: not app.leads_to() & app.pod_ips(), seconds=60)
            await until_awake(app, 4)
            check(await crowd.stop(), 50)
            await wait_for("a Service that leads to the pods again",
                           lambda: app.leads_to() == app.pod_ips(), seconds=120)
        check(await load.stop(), 100)

    asyncio.run(run())


@pytest.mark.parametrize("app", [{"min_scale": 2}], indirect=True)
def test_activators_restart_one_after_the_other(app):
    async def run():
        await until_awake(app, 2)
        load = app.load(clients=12)
        await asyncio.sleep(2)
        before = set(process_ids("pilotlight-activator"))
        assert len(before) == 2
        await in_thread(lambda: demo.kubectl("-n", demo.SYSTEM, "rollout", "restart",
                                             "deployment/pilotlight-activator"))
        await in_thread(lambda: demo.kubectl("-n", demo.SYSTEM, "rollout", "status",
                                             "deployment/pilotlight-activator", "--timeout=180s",
                                             seconds=200))
        await wait_for("the end of the old ones",
                       lambda: not before & set(process_ids("pilotlight-activator")), seconds=90)
        await asyncio.sleep(2)
        check(await load.stop(), 200)

    asyncio.run(run())


def test_a_kubelet_that_stands_still(app):
    kubelet = int((pathlib.Path(os.environ["KRUN"]) / "pid/kubelet").read_text())

    async def run():
        load = app.load(clients=6)
        await until_awake(app, 1)
        await asyncio.sleep(2)
        os.kill(kubelet, signal.SIGSTOP)
        try:
            await asyncio.sleep(15)  # less than what makes the node count as lost
        finally:
            os.kill(kubelet, signal.SIGCONT)
        await asyncio.sleep(10)
        check(await load.stop(), 200)

    asyncio.run(run())
    demo.wait_for("sleep", app.asleep, seconds=120)


@pytest.mark.parametrize("moment", ["parked", "patched"])
def test_an_autoscaler_that_is_killed_in_the_middle_of_a_wake(app, moment):
    # One that is killed often waits to be started again: kubelets back off.
    pid = demo.wait_for("a leading autoscaler", leading_autoscaler, seconds=120)

    async def run():
        if moment == "parked":
            os.kill(pid, signal.SIGSTOP)  # so that it does not hear of the wake
            stopped = time.monotonic()
        wake = asyncio.create_task(ask(app.address, "any.host", "/hello"))
        if moment == "parked":
            await asyncio.sleep(0.5)
            asleep = app.replicas()[0] == 0
            # Later than this another one may lead already.
            assert asleep or time.monotonic() - stopped > 2
        else:
            await wait_for("the PATCH", lambda: app.replicas()[0] == 1, every=0.01)
        os.kill(pid, signal.SIGKILL)
        answer = await wake
        assert answer.status == 200, answer.body

    asyncio.run(run())
    demo.wait_for("sleep", app.asleep, seconds=120)


NOWHERE = {"nodeSelector": {"kubernetes.io/hostname": "nowhere"}}
NO_IMAGE = {"containers": [{"name": "echo", "image": "127.0.0.1:1/no-such-image:1"}]}
CRASH = {"containers": [{"name": "echo", "args": ["--no-such-flag"]}]}


@pytest.mark.parametrize("spec, answered, explained", [
    (NOWHERE, "Unschedulable: .*node affinity/selector", "Unschedulable: .*node affinity/selector"),
    (NO_IMAGE, "container echo: (ErrImagePull|ImagePullBackOff)",
     "cannot start: (ErrImagePull|ImagePullBackOff)"),
    (CRASH, "container echo: (CrashLoopBackOff, )?exit code 78", "echo exited with 78"),
], ids=["unschedulable", "image", "crash"])
def test_a_wake_that_cannot_succeed_says_why(app, spec, answered, explained):
    template = {"metadata": {"annotations": {"pilotlight.dev/timeout-seconds": "20"}}, "spec": spec}
    app.kubectl("patch", "deployment", "echo", "-p", json.dumps({"spec": {"template": template}}))
    answer = asyncio.run(ask(app.address, "any.host", "/hello"))
    assert answer.status == 504, answer.body
    assert re.search(answered, answer.body.decode()), answer.body
    story = demo.run(os.environ["PILOTLIGHT_CLI"], "explain", f"{app.space}/echo",
                         "--kubeconfig", os.environ["KUBECONFIG"])
    assert re.search(explained, story), story
