#!/usr/bin/env python3
"""Measures a wake of a sleeping service, phase by phase. `./dev bench wake`.

Several echo services sleep under one `pilotlight up`. Each is woken by one request, one service at
a time; when all have fallen asleep again, the next round begins. Every time is CLOCK_MONOTONIC as
its own process read it (the events of activator, autoscaler and `up`, the echo app's headers), so
phases are differences between clocks that are the same clock.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import urllib.request

import report

ROOT = report.ROOT
sys.path.insert(0, str(ROOT / "tests" / "integration"))

SERVICES = 10
PHASES = (  # (name, what it is, from, to)
    ("decide", "request parked -> scale decided", "parked", "decided"),
    ("exec", "scale decided -> app's exec", "decided", "exec"),
    ("listen", "app's exec -> app listens (the app's own)", "exec", "listening"),
    ("ready", "app listens -> READY at the autoscaler", "listening", "ready"),
    ("dispatch", "READY -> request sent to the replica", "ready", "dispatched"),
    ("first byte", "sent -> first byte of the answer", "dispatched", "first_byte"),
)
BUDGET_MS = 10.0


def phases_of(at):
    """Milliseconds per phase, and our share of the wake, from one wake's times in microseconds."""
    row = {name: (at[end] - at[begin]) / 1000 for name, _, begin, end in PHASES}
    row["our share"] = (at["exec"] - at["parked"] + at["first_byte"] - at["listening"]) / 1000
    row["whole"] = (at["first_byte"] - at["parked"]) / 1000
    return row


def summary(rows):
    """(phase, median, 90th percentile, largest) per phase."""
    names = [*(phase[0] for phase in PHASES), "our share", "whole"]
    return [(name, *report.summary([row[name] for row in rows])) for name in names]


def as_markdown(table, rows, command):
    meaning = {name: text for name, text, _, _ in PHASES}
    meaning["our share"] = "(request -> app's exec) + (app listens -> first byte)"
    meaning["whole"] = "request parked -> first byte of the answer"
    return [*report.heading("Wakes of the echo app", command,
                            f"wakes: {len(rows)}, one at a time, every one in the table"),
            *report.markdown_table(
                ("phase", "what", "median ms", "p90 ms", "largest ms"),
                [(name, meaning[name], *(f"{value:.2f}" for value in values))
                 for name, *values in table])]


class Wakes:
    """The services under one `up`, and the events of all parties that it forwards."""

    def __init__(self, folder):
        from harness import Up, echo_service
        manifests = [echo_service(f"echo-{index}", concurrency=1, initial_scale="0", max_scale="1",
                                  window="6s", target_burst_capacity="-1")
                     for index in range(SERVICES)]
        self.up = Up(folder, *manifests)
        self.up.wait_until_serving()
        self.events_url = self.up.api_url() + "/pilotlight/events"
        self.last_seen = 0
        names = [f"echo-{index}" for index in range(SERVICES)]
        self.targets = [(name, self.up.address(name), self.up.host(name)) for name in names]

    def wait_asleep(self):
        from harness import wait_for
        wait_for("every service to fall asleep", lambda: all(
            one["state"] == "asleep" and not one["replicas"]
            for one in self.up.status()["services"]), seconds=120, every=0.2)

    def new_events(self):
        """What `up` has heard of all parties since the last call; waits a little for the first."""
        url = f"{self.events_url}?after={self.last_seen}&wait_ms=1000"
        with urllib.request.urlopen(url, timeout=10) as answer:
            events = json.load(answer)["events"]
        if events:
            self.last_seen = events[-1]["seq"]
        return events

    def wake(self, name, address, host):
        """One wake: asks, then reads what each party saw of it."""
        from http1 import ask_now
        response = ask_now(address, host, "/", 60)
        assert response.status == 200, response
        at = {"listening": int(response.headers["x-echo-listening-us"])}
        revision = name + "-00001"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not {"parked", "decided", "exec", "ready",
                                                   "dispatched", "first_byte"} <= at.keys():
            for event in self.new_events():
                if event.get("revision") == revision:
                    take(at, event)
        return phases_of(at)


def take(at, event):
    """Files the times of one event under the names that PHASES uses."""
    kind = event["kind"]
    if kind == "served":
        at["parked"] = event["parked_at_us"]
        at["dispatched"] = event["dispatched_at_us"]
        at["first_byte"] = event["first_byte_at_us"]
    elif kind == "decision" and event["from"] == 0:
        at["decided"] = event["decided_at_us"]
    elif kind == "replica_started":
        at["exec"] = event["app_exec_at_us"]
    elif kind == "replica_ready":
        at["ready"] = event["ready_at_us"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    arguments.add_argument("--wakes", type=int, default=50)
    arguments.add_argument("--out", type=pathlib.Path, help="result file, instead of bench/results/")
    options = arguments.parse_args()

    os.environ["PILOTLIGHT_BIN"] = str(options.bin)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotlight-bench-"))
    wakes = Wakes(folder)
    rows = []
    try:
        while len(rows) < options.wakes:
            wakes.wait_asleep()
            for target in wakes.targets[:options.wakes - len(rows)]:
                rows.append(wakes.wake(*target))
                print(f"\r{len(rows)} of {options.wakes} wakes", end="", file=sys.stderr, flush=True)
    finally:
        print(file=sys.stderr)
        wakes.up.down()
        shutil.rmtree(folder, ignore_errors=True)

    table = summary(rows)
    print(*report.text_table(("phase", "median ms", "p90 ms", "largest ms"),
                             [(name, *(f"{value:.2f}" for value in values))
                              for name, *values in table]), sep="\n")
    command = "./dev bench wake" + (f" --wakes {options.wakes}" if options.wakes != 50 else "")
    report.write(as_markdown(table, rows, command), "wake", options.out)
    share = next(median for name, median, _, _ in table if name == "our share")
    if share > BUDGET_MS:
        print(f"our share of a wake is {share:.1f} ms at the median; the budget is {BUDGET_MS:.0f}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
