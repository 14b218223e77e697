#!/usr/bin/env python3
"""Measures how long things take to be normal again after kill -9, and how fast load is met.
`./dev bench recover`.

Each round starts a `pilotlight up` of its own for each part that is killed, since a part that dies
often is restarted later and later. As many clients as the replicas may run ask for answers of 50
ms; *normal* begins with the first answer from which on none is lost and every quarter second has at
least three quarters of the answers it had before.
"""
import argparse
import asyncio
import collections
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request

import report

sys.path.insert(0, str(report.ROOT / "tests" / "integration"))

LIMIT = 4
CLIENTS = 2 * LIMIT  # both replicas are full: without one of them half of the answers are missing
SPAN = 0.25
SHARE = 0.75
BEFORE, AFTER = 1.5, 3.0  # seconds of traffic around the kill
SCALED_CLIENTS, SCALED_TO = 60, 8

MEASURES = (  # (name, what, promised seconds)
    ("app", "app of one of two replicas killed -> normal traffic", 2.0),
    ("sidecar", "sidecar of one of two replicas killed -> normal traffic", 2.0),
    ("autoscaler", "autoscaler killed -> normal traffic, and a new one knows both replicas", 2.0),
    ("activator", "activator killed -> normal traffic", 2.0),
    ("serving", "activator killed -> first answer from a new one", 1.0),
    ("load", f"{SCALED_CLIENTS} clients come to a sleeping service -> {SCALED_TO} replicas ready",
     5.0),
)


@dataclasses.dataclass
class Answers:
    """When each client got what: the account that a load keeps for this bench."""

    good: list = dataclasses.field(default_factory=list)  # seconds since the load's start
    bad: list = dataclasses.field(default_factory=list)   # (seconds, status or error)

    def add(self, at, response):
        if response.status == 200:
            self.good.append(at)
        else:
            self.bad.append((at, str(response.status)))

    def add_error(self, at, error):
        self.bad.append((at, type(error).__name__))


def normal_after(answers, killed, end):
    """Seconds from the kill to the first answer of normal traffic; None when it never was normal.

    Pure. Only spans that end before `end` are looked at.
    """
    expected = SHARE * SPAN * sum(killed - BEFORE <= at < killed for at in answers.good) / BEFORE
    since = max([killed, *(at for at, _ in answers.bad if at > killed)])
    step, begin = 0.01, killed
    while begin + SPAN <= end:
        if sum(begin <= at < begin + SPAN for at in answers.good) < expected:
            since = max(since, begin + SPAN)
        begin += step
    later = [at for at in answers.good if at >= since]
    return min(later) - killed if later and since + SPAN <= end else None


def autoscaler_ready(up):
    """Ready replicas that the autoscaler itself knows of; None while it does not answer."""
    host, port = up.admin("autoscaler")
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/status", timeout=0.5) as answer:
            return sum(one["ready"] for one in json.load(answer)["revisions"])
    except (OSError, ValueError):
        return None


def pid_to_kill(up, part):
    if part in ("app", "sidecar"):
        replica = next(one for one in up.service()["replicas"] if one["state"] == "ready")
        return replica[part + "_pid"]
    return up.pid_of("pilotlight-" + part)


async def kill_once(up, part):
    """{measure: seconds} and the cause of each lost answer, of one kill."""
    import load
    traffic = load.Load(up.address(), up.host(), "/?sleep=50", CLIENTS)
    answers = traffic.account = Answers()
    await load.wait_for("traffic", lambda: len(answers.good) >= CLIENTS)
    await asyncio.sleep(0.3 + BEFORE)
    pid = await load.in_thread(pid_to_kill, up, part)
    killed = time.monotonic() - traffic.started
    up.kill(pid)
    known = None
    if part == "autoscaler":
        await load.wait_for("the old autoscaler's end",
                            lambda: not os.path.exists(f"/proc/{pid}"), every=0.005)
        await load.wait_for("a new autoscaler", lambda: autoscaler_ready(up) == 2, every=0.02)
        known = time.monotonic() - traffic.started - killed
    await asyncio.sleep(AFTER)
    end = time.monotonic() - traffic.started
    await traffic.stop()
    lost = [cause for at, cause in answers.bad if at > killed]
    seconds = normal_after(answers, killed, end)
    if seconds is None:
        raise RuntimeError(f"{part}: traffic was not normal again {end - killed:.1f} s after")
    found = {part: seconds if known is None else max(seconds, known)}
    if part == "activator":
        # Its connections broke with it: an answer later than these breaks is a new one's.
        broken = max([at for at, _ in answers.bad if at > killed], default=killed)
        found["serving"] = min(at for at in answers.good if at > broken) - killed
    return found, lost


async def come_at_once(up):
    """{measure: seconds} from the first request until all replicas are ready, and what was lost."""
    import load
    crowd = load.Load(up.address(), up.host(), "/?sleep=200", SCALED_CLIENTS)
    answers = crowd.account = Answers()
    await load.wait_for("all replicas ready", lambda: up.service()["ready"] == SCALED_TO,
                        every=0.02)
    seconds = time.monotonic() - crowd.started
    await crowd.stop()
    return {"load": seconds}, [cause for _, cause in answers.bad]


def one_round(part):
    """Starts an `up` for one kill, or for one rush of clients."""
    from harness import Up, echo_service, wait_for
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotlight-bench-"))
    environment = {"ECHO_LIMIT": str(LIMIT)}
    if part == "load":
        manifest = echo_service(concurrency=LIMIT, env=environment, initial_scale="0",
                                max_scale=str(SCALED_TO), window="6s")
    else:
        manifest = echo_service(concurrency=LIMIT, env=environment, initial_scale="2",
                                min_scale="2", max_scale="2", window="6s")
    up = Up(folder, manifest)
    try:
        up.wait_until_serving()
        if part == "load":
            up.wait_asleep()
            return asyncio.run(come_at_once(up))
        wait_for("two replicas", lambda: up.service()["ready"] == 2)
        return asyncio.run(kill_once(up, part))
    finally:
        up.down()
        shutil.rmtree(folder, ignore_errors=True)


def rows_of(seconds):
    return [(what, f"{statistics.median(seconds[name]):.2f}", f"{max(seconds[name]):.2f}",
             f"{promised:.0f}", "yes" if max(seconds[name]) <= promised else "NO")
            for name, what, promised in MEASURES]


def main():
    arguments = argparse.ArgumentParser(description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bin", type=pathlib.Path, default=report.ROOT / "build/release/bin")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--out", type=pathlib.Path, help="instead of bench/results/")
    options = arguments.parse_args()

    os.environ["PILOTLIGHT_BIN"] = str(options.bin)
    seconds = {name: [] for name, _, _ in MEASURES}
    lost = {}
    parts = [name for name, _, _ in MEASURES if name != "serving"]
    for index in range(options.rounds):
        for part in parts:
            print(f"\rround {index + 1} of {options.rounds}, {part}".ljust(60), end="",
                  file=sys.stderr, flush=True)
            found, missing = one_round(part)
            for name, value in found.items():
                seconds[name].append(value)
            lost[part] = max(lost.get(part, []), missing, key=len)
    print(file=sys.stderr)

    columns = ("what", "median s", "worst s", "promised s", "kept")
    rows = rows_of(seconds)
    losses = "most answers lost in a round: " + "; ".join(
        f"{part}: " + (", ".join(f"{count} x {cause}" for cause, count
                                 in collections.Counter(lost[part]).items()) or "none")
        for part in parts)
    print(*report.text_table(columns, rows), losses, sep="\n")
    command = "./dev bench recover" + (f" --rounds {options.rounds}" if options.rounds != 5 else "")
    report.write([*report.heading("Recovery from kill -9, and from sudden load", command,
                                  f"rounds: {options.rounds}, an `up` of its own for every row",
                                  losses),
                  *report.markdown_table(columns, rows)],
                 "recover", options.out)
    return 1 if any(row[-1] == "NO" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
