#!/usr/bin/env python3
"""Measures cold starts on a real node, from the event log of the autoscaler. `./dev cluster bench`.

An echo app behind a Service is asked while it sleeps, answers, and is let fall asleep again. What a
wake was spent on is in its own line of the event log, as `pilotlight explain` reads it; beside it is
what the same node needs for a Deployment that nobody of ours has to do with.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import report

ROOT = report.ROOT
sys.path[:0] = [str(ROOT / "tests/integration"), str(ROOT / "tests/cluster/node"),
                str(ROOT / "examples/kubernetes")]
import demo  # noqa: E402
from app import App  # noqa: E402
from http1 import ask_now  # noqa: E402

BUDGET_MS = 20.0
OURS = {"decide": "request -> scale decided", "patch": "scale decided -> the API has taken it",
        "ready": "the sidecar has found that the app listens -> READY at the autoscaler",
        "first byte": "READY at the autoscaler -> first byte of the answer"}
CLUSTER = {"scheduled": "PATCH -> a node is chosen", "image": "-> its image is there",
           "init": "-> init containers are done", "start": "-> the app's process runs",
           "listen": "-> it listens (the sidecar's and the app's own start; seen at most 1 % of it later)"}


def cold_starts(pilotlight, kubeconfig, app):
    done = subprocess.run([pilotlight, "explain", f"{app.space}/echo", "-o", "json", "--kubeconfig",
                           kubeconfig], capture_output=True, text=True, timeout=60)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [event for event in events if event["event"] == "cold_start"]


def without_us(app):
    """Milliseconds until a plain Deployment of the same app has a ready replica."""
    deployment = app.read("deployment", "echo")
    template = deployment["spec"]["template"]
    del template["metadata"]["annotations"]
    template["metadata"]["labels"] = {"app": "plain"}
    app.kubectl("apply", "-f", "-", text=json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "plain"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "plain"}},
                 "template": template}}))
    begun = time.monotonic()
    app.kubectl("scale", "deployment/plain", "--replicas=1")
    app.kubectl("rollout", "status", "deployment/plain", "--timeout=60s")
    took = (time.monotonic() - begun) * 1000
    app.kubectl("delete", "deployment/plain")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--images", type=pathlib.Path, required=True, help="folder of the images")
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--wakes", type=int, default=20)
    parser.add_argument("--out", type=pathlib.Path, help="instead of bench/results/<date>-node.md")
    given = parser.parse_args()
    demo.load_images(given.images, os.environ["KRUN"] + "/containerd.sock")
    demo.install()
    app = App()
    plain, asked = [], []
    try:
        for number in range(given.wakes):
            begun = time.monotonic()
            status = ask_now(app.address, "any.host", "/hello").status
            asked.append((time.monotonic() - begun) * 1000)
            if status != 200:
                sys.exit(f"wake {number + 1}: got {status}")
            demo.wait_for("sleep", app.asleep, seconds=120)
            plain.append(without_us(app))
            print(f"wake {number + 1} of {given.wakes}: {asked[-1]:.0f} ms", file=sys.stderr)
        wakes = demo.wait_for("every wake in the log", lambda: (
            lambda found: len(found) >= given.wakes and found)(
                cold_starts(given.bin / "pilotlight", given.kubeconfig, app)))
    finally:
        app.delete()
    phases = [{name.replace("_", " "): us / 1000 for name, us in wake["phases_us"].items()}
              for wake in wakes]
    rows = []
    for name, meaning in {**OURS, **CLUSTER}.items():
        values = [wake[name] for wake in phases if name in wake]
        if values:
            rows.append((name, meaning, "ours" if name in OURS else "the cluster's", values))
    ours = [sum(wake.get(name, 0) for name in OURS) for wake in phases]
    rows.append(("our share", "(request -> PATCH) + (found listening -> first byte)", "ours", ours))
    rows.append(("whole", "request -> answer, as its client saw it", "all", asked))
    rows.append(("without us", "kubectl scale -> ready, of the same app", "the cluster's", plain))
    rows.append(("difference", "whole - without us, round by round: a sidecar starts first, in it",
                 "ours", [whole - bare for whole, bare in zip(asked, plain)]))
    table = [(name, meaning, whose, *(f"{value:.1f}" for value in report.summary(values)))
             for name, meaning, whose, values in rows]
    lines = [*report.heading("Cold starts on a real node", "./dev cluster bench",
                             f"wakes: {len(wakes)}, one at a time, every one in the table"),
             *report.markdown_table(("phase", "what", "whose", "median ms", "p90 ms", "largest ms"),
                                    table)]
    print("\n".join(lines))
    report.write(lines, "node", given.out)
    median = report.summary(ours)[0]
    print(f"our share: {median:.1f} ms at the median, budget {BUDGET_MS:.0f} ms", file=sys.stderr)
    return 0 if median <= BUDGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
