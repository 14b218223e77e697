"""Models that do not start, die, or never answer: everyone who waits is told why."""
import asyncio
import json

import load
from harness import echo_service, wait_for
from http1 import Connection, ask


def test_a_model_that_never_gets_ready_ends_the_wait_with_the_cause(start):
    up = start(echo_service(args=("--never-listen",), initial_scale="0", window="6s",
                            timeout_seconds=4))
    response = up.ask(timeout=60)
    assert response.status == 504
    assert response.headers["content-type"].startswith("application/problem+json")
    assert json.loads(response.body)["status"] == 504


def test_a_model_that_dies_at_start_is_restarted_with_back_off_and_quoted(start):
    script = "echo 'out of memory: 3 GB wanted' >&2; exit 7"
    up = start(echo_service(command=("/bin/sh",), args=("-c", script), initial_scale="0",
                            window="6s", timeout_seconds=5))
    response = up.ask(timeout=60)
    assert response.status == 504
    assert b"7" in response.body and b"out of memory: 3 GB wanted" in response.body, response.body

    asyncio.run(look_at_a_dying_one(up, up.address(), up.host()))
    assert "exit" in up.output and "7" in up.output and "out of memory: 3 GB wanted" in up.output


async def look_at_a_dying_one(up, address, host):
    """Status while somebody waits for it: the restarts, the exit code and the last words."""
    waiting = asyncio.create_task(ask(address, host, "/"))

    def quoted():
        return [one for one in up.service()["replicas"]
                if one["restarts"] >= 2 and "7" in str(one["last_exit"])
                and "out of memory" in str(one["last_log"])]

    await load.wait_for("restarts in status", quoted, seconds=30)
    restarts = quoted()[0]["restarts"]
    assert restarts < 20, "a restart has a back-off"
    assert (await waiting).status == 504


def test_a_model_that_dies_now_and_then_goes_on_serving(start):
    up = start(echo_service(args=("--exit-after", "2500"), initial_scale="1", min_scale="1",
                            window="6s"))
    wait_for("a restart", lambda: any(one["restarts"] >= 1 and one["state"] == "ready"
                                      for one in up.service()["replicas"]), seconds=60, every=0.1)
    response = up.ask(timeout=60)
    assert response.status in (200, 502)  # 502: it died with this very request
    assert any("3" in str(one["last_exit"]) for one in up.service()["replicas"])


def test_a_client_that_leaves_frees_its_place_at_once(start):
    up = start(echo_service(concurrency=1, env={"ECHO_LIMIT": "1"}, initial_scale="1",
                            max_scale="1", window="6s", timeout_seconds=600))
    asyncio.run(leave_while_parked(up, up.address(), up.host()))


async def leave_while_parked(up, address, host):
    running = await Connection(address).open()
    await running.send(host, "/?sleep=600000&id=running")
    await load.wait_for("one to run", lambda: up.service()["in_flight"] == 1)
    parked = [await Connection(address).open() for _ in range(5)]
    for index, connection in enumerate(parked):
        await connection.send(host, f"/?id=parked-{index}")
    await load.wait_for("five to wait", lambda: up.service()["parked"] == 5)
    for connection in parked:
        connection.close()
    await load.wait_for("their places to be free", lambda: (
        now := up.service())["parked"] == 0 and now["in_flight"] == 1)
    # The running one leaves too: the app sees its connection close and the next request runs.
    running.close()
    assert (await ask(address, host, "/?id=next")).status == 200
    stats = json.loads((await ask(address, host, "/stats")).body)
    assert stats["order"] == ["running", "next"]
    assert stats["violations"] == 0 and stats["dropped"] == 1
