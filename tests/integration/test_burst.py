"""Many requests at a sleeping revision: all answered after one wake, and in order where it counts."""
import asyncio
import json

from harness import echo_service
from http1 import Connection, ask

BURST = 500


def test_five_hundred_at_once_are_answered_after_one_wake(start):
    up = start(echo_service(concurrency=10, env={"ECHO_LIMIT": "10"}, initial_scale="0",
                            max_scale="3", window="10s"))
    up.wait_asleep()
    responses = asyncio.run(burst(up.address(), up.host()))
    assert [response.status for response in responses] == [200] * BURST
    pids = {json.loads(response.body)["pid"] for response in responses}
    assert 1 <= len(pids) <= 3
    assert max(json.loads(response.body)["max_in_flight"] for response in responses) <= 10
    up.wait_wakes(1)


async def burst(address, host):
    return await asyncio.gather(*(ask(address, host, f"/?sleep=20&id={index}", timeout=120)
                                  for index in range(BURST)))


def test_requests_reach_a_single_slot_in_the_order_they_came(start, tmp_path):
    # All stay parked until the last one is in: only then may the app begin.
    gate = tmp_path / "gate"
    script = f"until [ -e {gate} ]; do sleep 0.1; done; exec echo-server"
    up = start(echo_service(concurrency=1, env={"ECHO_LIMIT": "1"}, command=("/bin/sh",),
                            args=("-c", script), initial_scale="0", max_scale="1", window="10s",
                            timeout_seconds=120))
    up.wait_asleep()
    order = asyncio.run(one_after_another(up, up.address(), up.host(), gate))
    assert order == [str(index) for index in range(BURST)]
    up.wait_wakes(1)


async def one_after_another(up, address, host, gate):
    connections = await asyncio.wait_for(park(up, address, host), 60)
    gate.touch()
    responses = await asyncio.gather(*(asyncio.wait_for(connection.receive(), 120)
                                       for connection in connections))
    assert [response.status for response in responses] == [200] * BURST
    for connection in connections:
        connection.close()
    stats = await ask(address, host, "/stats")
    return json.loads(stats.body)["order"]


async def park(up, address, host):
    """Sends request k+1 once k are seen to wait; without that, the kernel may reorder the accepts."""
    admin = Connection(up.admin("activator"))
    connections = []
    for index in range(BURST):
        connection = await Connection(address).open()
        await connection.send(host, f"/?id={index}")
        connections.append(connection)
        while await parked(admin) <= index:
            await asyncio.sleep(0)
    admin.close()
    return connections


async def parked(admin):
    response = await admin.ask("activator", "/status")
    return json.loads(response.body)["revisions"][0]["parked"]
