"""kill -9 of each part under load: who loses what, and that it heals."""
import asyncio
import os
import signal
import time

import load
import pytest
from harness import echo_service, wait_for

LIMIT = 4
CLIENTS = 5  # two replicas' worth at 70 % of 4 each: the wanted count is steady


@pytest.fixture
def up(start):
    running = start(echo_service(concurrency=LIMIT, env={"ECHO_LIMIT": str(LIMIT)}, min_scale="2",
                                 initial_scale="2", max_scale="4", window="6s"))
    wait_for("two replicas", lambda: running.service()["ready"] == 2, seconds=30)
    return running


def victim(up, part):
    """(name, pid) of the app or sidecar of the first ready replica."""
    replica = next(one for one in up.service()["replicas"] if one["state"] == "ready")
    return replica["name"], replica[part + "_pid"]


def back(up, name, part, old):
    """True once that replica, or its successor, runs a new process there and all are ready."""
    service = up.service()
    pids = [one[part + "_pid"] for one in service["replicas"]]
    return service["ready"] >= 2 and old not in pids


@pytest.mark.parametrize("part", ["app", "sidecar"])
def test_a_killed_replica_costs_at_most_what_it_was_running(up, part):
    asyncio.run(kill_a_replicas_part(up, up.address(), up.host(), part))


async def kill_a_replicas_part(up, address, host, part):
    traffic = load.Load(address, host, "/?sleep=50", CLIENTS)
    await load.wait_for("traffic", lambda: traffic.account.answers[200] >= 50)
    name, pid = await load.in_thread(victim, up, part)
    assert traffic.account.lost == 0, traffic.account.failures
    up.kill(pid)
    await load.wait_for(f"the {part} to be back", lambda: back(up, name, part, pid))
    account = await traffic.stop()
    assert account.lost <= LIMIT, account.failures
    # Each once, and as an answer: the gateway's own connections do not break.
    assert all(failure[1] == 502 for failure in account.failures), account.failures
    assert account.most_at_once <= LIMIT

    traffic = load.Load(address, host, "/?sleep=50", CLIENTS)
    await load.wait_for("normal traffic", lambda: traffic.account.answers[200] >= 200)
    account = await traffic.stop()
    assert account.lost == 0, account.failures  # what was sent once it was back
    assert account.most_at_once <= LIMIT

    restarted = await load.in_thread(up.service)
    assert sum(one["restarts"] for one in restarted["replicas"]) >= 1
    if part == "app":
        assert any("9" in str(one["last_exit"]) for one in restarted["replicas"]), restarted


def test_a_killed_autoscaler_loses_nothing_and_moves_nothing(up):
    asyncio.run(kill_the_autoscaler(up, up.address(), up.host()))


async def kill_the_autoscaler(up, address, host):
    traffic = load.Load(address, host, "/?sleep=50", CLIENTS)
    await load.wait_for("traffic", lambda: traffic.account.answers[200] >= 50)
    before = await load.in_thread(up.replicas_wanted)
    pid = up.pid_of("pilotlight-autoscaler")
    up.kill(pid)

    def another_runs():
        try:
            return up.pid_of("pilotlight-autoscaler") != pid
        except AssertionError:
            return False

    await load.wait_for("a new autoscaler", another_runs, seconds=10)
    counts = set()
    until = time.monotonic() + 12  # a window, several ticks and a margin after its return
    while time.monotonic() < until:
        counts.add(await load.in_thread(up.replicas_wanted))
        await asyncio.sleep(0.1)
    account = await traffic.stop()
    assert account.lost == 0, account.failures
    assert account.most_at_once <= LIMIT
    assert counts == {before}
    assert (await load.in_thread(up.service))["ready"] == before


def test_a_killed_activator_refuses_no_connect_and_serves_again(up):
    asyncio.run(kill_the_activator(up, up.address(), up.host()))


async def kill_the_activator(up, address, host):
    refused = []
    stopping = asyncio.Event()

    async def connect_all_the_time():
        while not stopping.is_set():
            try:
                _, writer = await asyncio.open_connection(*address)
                writer.close()
            except ConnectionRefusedError as error:
                refused.append(error)
            await asyncio.sleep(0.001)

    connects = asyncio.create_task(connect_all_the_time())
    traffic = load.Load(address, host, "/?sleep=50", CLIENTS)
    await load.wait_for("traffic", lambda: traffic.account.answers[200] >= 50)
    up.kill(up.pid_of("pilotlight-activator"))

    answered = traffic.account.answers[200]
    await load.wait_for("answers from a new activator",
                        lambda: traffic.account.answers[200] >= answered + 50, seconds=10,
                        every=0.01)
    stopping.set()
    await connects
    account = await traffic.stop()
    assert not refused
    # Every client may lose the request on its broken connection, and no other.
    assert account.lost <= CLIENTS, account.failures
    assert all(isinstance(failure[1], str) for failure in account.failures), account.failures
    assert account.most_at_once <= LIMIT


def test_no_process_survives_a_killed_up(up):
    up.remember_processes()
    assert len(up.seen) >= 6, "activator, autoscaler and two pairs"
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait(10)
    up.assert_nothing_left()


def test_up_starts_over_what_a_killed_one_left(start, state_dir):
    first = start(echo_service(initial_scale="1", window="6s"))
    assert first.ask().status == 200
    first.remember_processes()
    first.process.kill()
    first.process.wait(10)
    second = start(echo_service(initial_scale="1", window="6s"))
    assert second.ask().status == 200
    assert second.facts()["pid"] == second.process.pid
