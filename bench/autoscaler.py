#!/usr/bin/env python3
"""The autoscaler under thousands of sidecars, and 1,000 wakes at once. `./dev bench autoscaler`.

One process plays all sidecars, one activator and the Kubernetes API over real TCP connections; the
autoscaler is the shipped one, alone on its core. Counts are judged (nothing lost, every PATCH right),
and the figures against their budgets.
"""
import argparse
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import report
import stage
import tls_world  # of the tests, where stage finds queue_proxy too

MIB = 1024 * 1024
KIB = 1024


@dataclasses.dataclass
class Size:
    """How much is asked of it."""
    sidecars: int = 10_000
    revisions: int = 1_000
    warm_up: float = 5
    seconds: float = 30
    pokes: float = 20       # a second
    wakes: int = 1_000      # at once
    failing_wakes: int = 1_000
    tls: bool = False       # sidecars, activator and autoscaler speak it, as in a cluster
    judged_by_time: bool = True


# As ./dev test runs it: counts only.
SMOKE = Size(sidecars=200, revisions=20, warm_up=1, seconds=3, pokes=10, wakes=200,
             failing_wakes=200, judged_by_time=False)
SIZES = ("sidecars", "revisions", "seconds")  # what the command line may change
BARE = Size(sidecars=0, revisions=1, warm_up=0, seconds=0.5, pokes=0, wakes=0, failing_wakes=0)


def metric(text, name):
    """The value of a metric without labels."""
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def metrics_after(url, frames, seconds=10):
    """Metrics once so many frames were received; as they are then when they do not come."""
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() > end
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode()
        if late or metric(text, "pilotlight_wire_frames_total") >= frames:
            return text
        time.sleep(0.1)


def measure(binaries, size):
    """One run. What bench-fleet says, and beside it the frames that the autoscaler has counted."""
    if not size.tls:
        return measure_with(binaries, size, [], [])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        authority = tls_world.Authority(folder)
        certificate, key = authority.issue_files("autoscaler", "DNS:pilotlight-autoscaler")
        certificate.rename(folder / "tls.crt")
        key.rename(folder / "tls.key")
        return measure_with(binaries, size, ["--ca", authority.certificate],
                            ["--wire-tls", folder])


def measure_with(binaries, size, fleet_options, autoscaler_options):
    fleet_program = binaries.parent / "bench" / "bench-fleet"
    api, wire, metrics = (stage.free_port() for _ in range(3))
    command = ["taskset", "-c", stage.LOAD_CORE, fleet_program,
               "--api", f"{stage.ADDRESS}:{api}", "--autoscaler", f"{stage.ADDRESS}:{wire}",
               "--sidecars", size.sidecars, "--revisions", size.revisions,
               "--warm-up", size.warm_up, "--seconds", size.seconds, "--pokes", size.pokes,
               "--wakes", size.wakes, "--failing-wakes", size.failing_wakes, "--core", stage.PROXY_CORE,
               *fleet_options]
    with tempfile.TemporaryFile() as log, subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True) as fleet:
        try:
            if fleet.stdout.readline() != "serving\n":
                raise RuntimeError("bench-fleet did not start")
            with stage.Running([binaries / "pilotlight-autoscaler", "--kube",
                                f"http://{stage.ADDRESS}:{api}", "--address", stage.ADDRESS,
                                "--wire-port", wire, "--admin-port", 0, "--metrics-port", metrics,
                                "--decision-file=-",  # as in deploy/
                                *autoscaler_options],
                               stage.PROXY_CORE, output=log) as autoscaler:
                autoscaler.wait_listening(stage.ADDRESS, wire)
                fleet.stdin.write(f"{autoscaler.pid}\n")
                fleet.stdin.flush()
                line = fleet.stdout.readline()
                if not line:
                    raise RuntimeError("bench-fleet ended without a result")
                result = json.loads(line)
                text = metrics_after(f"http://{stage.ADDRESS}:{metrics}/metrics",
                                     result["frames_sent"])
                result["frames_received"] = int(metric(text, "pilotlight_wire_frames_total"))
                result["bad_frames"] = int(metric(text, "pilotlight_wire_bad_frames_total"))
        finally:
            fleet.stdin.close()
            try:
                code = fleet.wait(30)
            except subprocess.TimeoutExpired:
                fleet.kill()
                raise
    if code != 0:
        raise RuntimeError(f"bench-fleet: exit {code}")
    return result


def wrong_counts(result):
    """What must hold at any speed, as sentences about what does not."""
    wrong = []
    if result["frames_sent"] != result["frames_received"]:
        wrong.append(f"{result['frames_sent']} frames sent, {result['frames_received']} received")
    for name in ("connections_lost", "unexpected_patches", "bad_frames"):
        if result[name]:
            wrong.append(f"{name}: {result[name]}")
    for name in ("pokes", "wakes", "failing_wakes"):
        part = result[name]
        if part["right"] != part["asked"]:
            wrong.append(f"{name}: {part['asked']} asked, {part['right']} with the right number")
        if name != "failing_wakes" and part["patches"] != part["asked"]:
            wrong.append(f"{name}: {part['asked']} asked, {part['patches']} PATCHes, "
                         f"{part['patched_once']} revisions PATCHed exactly once")
    failing = result["failing_wakes"]
    if failing["asked"] and failing["patches"] <= failing["asked"]:
        wrong.append("failing_wakes: no failure was injected")
    return wrong


def budgets(size, result, bare):
    """(what, measured, budget, unit) of every figure that has one."""
    started = size.revisions + size.wakes + size.failing_wakes + int(size.pokes * size.seconds)
    alone = result["resident_alone_bytes"]
    # OpenSSL keeps 14 KiB of a connection: its SSL alone is 7.4 KiB, its two AES contexts 2 KiB.
    whole, connection = (280, 26) if size.tls else (200, 9)
    rows = [("CPU", result["cpu_cores"], 0.5, "cores"),
            ("POKE -> PATCH on the wire, p99", result["pokes"]["p99_ms"], 2, "ms"),
            ("wakes at once: last PATCH on the wire", result["wakes"]["largest_ms"], 300, "ms"),
            ("resident memory", result["resident_bytes"] / MIB, whole, "MiB"),
            # A window of 60 s is 132 numbers of 8 bytes, of four averages.
            ("resident memory per revision", (alone - bare["resident_alone_bytes"]) / started / KIB,
             17, "KiB")]
    if size.sidecars:
        rows.append(("resident memory per replica with its connection",
                     (result["resident_bytes"] - alone) / size.sidecars / KIB, connection, "KiB"))
    return rows


def as_markdown(size, result, rows, command):
    facts = (f"sidecars: {size.sidecars:,} over {size.revisions:,} revisions, one report a second "
             f"each{' over TLS 1.3' if size.tls else ''}, {size.seconds:g} s measured after "
             f"{size.warm_up:g} s",
             f"frames: {result['frames_sent']:,} sent, {result['frames_received']:,} received",
             f"the generator's latest report was {result['latest_report_us'] / 1000:.1f} ms late")
    parts = [(name, part) for name, part in (("one at a time", result["pokes"]),
                                             ("at once", result["wakes"]),
                                             ("at once, one PATCH in four fails",
                                              result["failing_wakes"]))]
    bare = result["bare"]
    return [*report.heading("The autoscaler under load", command, *facts),
            *report.markdown_table(
                ("what", "measured", "budget"),
                [(what, f"{value:.2f} {unit}", f"{limit:g} {unit}")
                 for what, value, limit, unit in rows]), "",
            "From the POKE to the first PATCH of the revision on the wire; the API answers after 1 ms.",
            "", *report.markdown_table(
                ("wakes", "asked", "PATCHes", "right in the end", "median ms", "p99 ms",
                 "largest ms"),
                [(name, f"{part['asked']}", f"{part['patches']}", f"{part['right']}",
                  f"{part['median_ms']:.2f}", f"{part['p99_ms']:.2f}", f"{part['largest_ms']:.2f}")
                 for name, part in parts]), "",
            "What the machine alone takes of such a wake, one byte sent in turn with each \"one at a "
            "time\", over TCP to the autoscaler's core and back: "
            f"median {bare['median_ms']:.2f} ms, p99 {bare['p99_ms']:.2f} ms, "
            f"largest {bare['largest_ms']:.2f} ms."]


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench autoscaler", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=report.ROOT / "build/release/bin",
                        help=argparse.SUPPRESS)
    parser.add_argument("--tls", action="store_true", help="over TLS, as in a cluster")
    parser.add_argument("--smoke", action="store_true", help="small and short; counts only")
    parser.add_argument("--sidecars", type=int)
    parser.add_argument("--revisions", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--out", type=pathlib.Path, help="result file, instead of bench/results/")
    options = parser.parse_args()
    size = dataclasses.replace(SMOKE if options.smoke else Size(), tls=options.tls)
    for name in SIZES:
        value = getattr(options, name)
        if value is not None:
            size = dataclasses.replace(size, **{name: value})
    return options, size


def main():
    options, size = parse()
    binaries = options.bin.resolve()
    bare = measure(binaries, BARE)
    result = measure(binaries, size)
    rows = budgets(size, result, bare)
    print(*report.text_table(("what", "measured", "budget"),
                             [(what, f"{value:.2f} {unit}", f"{limit:g} {unit}")
                              for what, value, limit, unit in rows]), sep="\n")
    print(json.dumps(result, indent=1), file=sys.stderr)
    wrong = wrong_counts(result)
    if size.judged_by_time:
        wrong += [f"{what}: {value:.2f} {unit}, the budget is {limit:g} {unit}"
                  for what, value, limit, unit in rows if value > limit]
    if not options.smoke:
        shown = [f"--{name} {getattr(options, name):g}" for name in SIZES
                 if getattr(options, name) is not None]
        command = " ".join(["./dev bench autoscaler", *(["--tls"] if size.tls else []), *shown])
        report.write(as_markdown(size, result, rows, command),
                     "autoscaler-tls" if size.tls else "autoscaler", options.out)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
