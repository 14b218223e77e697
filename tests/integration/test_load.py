"""Load that comes, shrinks and ends: nothing lost, no limit passed, asleep at the end."""
import asyncio
import os
import time

import load
from harness import echo_service

SECONDS = float(os.environ.get("PILOTLIGHT_LOAD_SECONDS", "40"))
LIMIT = 4
CLIENTS = 60


def test_load_then_trickle_then_silence(start):
    # The app itself refuses what is above the limit, with a 500 that would show as a lost answer.
    up = start(echo_service(concurrency=LIMIT, env={"ECHO_LIMIT": str(LIMIT)}, initial_scale="0",
                            max_scale="8", window="6s"))
    up.wait_asleep()
    asyncio.run(scenario(up, up.address(), up.host()))
    up.wait_asleep()
    up.wait_wakes(1)


async def scenario(up, address, host):
    heavy = load.Load(address, host, "/?sleep=200", CLIENTS)
    # Promised within 5 s of the load; 60 clients over 0.7 * 4 each is more than the 8 allowed.
    await load.wait_for("8 replicas ready", lambda: up.service()["ready"] == 8, seconds=25)
    while heavy.started + SECONDS > time.monotonic():
        await asyncio.sleep(0.5)
        assert (await load.in_thread(up.service))["desired"] <= 8
    account = await heavy.stop()
    assert account.lost == 0, account.failures[:10]
    assert account.most_at_once <= LIMIT
    assert len(account.per_process) >= 8, f"answers came from {account.per_process}"

    # One request at a time is one replica's work: the others go, and none of them loses a request.
    trickle = load.Load(address, host, "/?sleep=20", clients=2, pause=0.05)
    await load.wait_for("scale-down under a trickle", lambda: up.service()["ready"] <= 2, seconds=60)
    await load.wait_for("the drained replicas' end",
                        lambda: len(up.service()["replicas"]) <= 2, seconds=60)
    account = await trickle.stop()
    assert account.lost == 0, account.failures[:10]
    assert account.most_at_once <= LIMIT
