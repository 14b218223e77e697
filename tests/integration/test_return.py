"""kill -9 of the autoscaler, again and again: what follows is what one that lives would have done."""
import asyncio
import json
import os
import time

import load
from harness import echo_service, run

# `./dev soak` kills every 10 s for 2 minutes.
SECONDS = float(os.environ.get("PILOTLIGHT_KILL_SECONDS", "36"))
EVERY = 10 if SECONDS >= 100 else 6
# Clients, each for a few seconds.
WAVES = [16, 2, 11, 5, 1, 8]
WAVE_SECONDS = 4.3


def test_the_turns_of_killed_autoscalers_are_those_of_one(start):
    up = start(echo_service(concurrency=4, window="10s", scale_down_delay="4s", max_scale="6"))
    recording = up.state_dir / "turns.jsonl"
    kills, account = asyncio.run(kill_and_load(up, up.address(), up.host()))
    assert kills >= 5
    assert account.lost == 0, account.failures
    log = (up.state_dir / "logs" / "autoscaler.log").read_text(errors="replace")
    up.down()

    checked = run("decide", recording, "--check")
    print(checked.stdout, checked.stderr)
    assert checked.returncode == 0, checked.stderr
    lines = [json.loads(line) for line in recording.read_text().splitlines() if line.endswith("}")]
    turns = [line for line in lines if "turn" in line]
    assert len({line["epoch"] for line in turns}) == kills + 1
    assert not [line for line in turns if line["returning"]
                and line["turn"]["desired"] < line["turn"]["from"]]
    # A turn that waits for the replay agrees with anything, so most must have taken others.
    assert len({line["epoch"] for line in turns if not line["returning"]}) > kills / 2
    # Each was told by all before its window was over, or it would have stood still.
    assert log.count("complete=true") >= kills, log
    assert len({line["turn"]["desired"] for line in turns}) >= 3, "a steady load proves nothing"


async def kill_and_load(up, address, host):
    total = load.Account()
    kills = 0
    started = time.monotonic()
    next_kill = started + EVERY
    wave = None
    turn = 0
    while time.monotonic() < started + SECONDS:
        fresh = load.Load(address, host, "/?sleep=80", WAVES[turn % len(WAVES)])
        if wave is not None:
            add(total, await wave.stop())
        wave = fresh
        turn += 1
        until = time.monotonic() + WAVE_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(0.05)
            if time.monotonic() >= next_kill:
                pid = await load.in_thread(up.pid_of, "pilotlight-autoscaler")
                await load.in_thread(up.kill, pid)
                kills += 1
                next_kill += EVERY
    add(total, await wave.stop())
    await asyncio.sleep(5)  # the last one's turns
    return kills, total


def add(total, account):
    total.answers += account.answers
    total.failures += account.failures
