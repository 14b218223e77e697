"""The sidecar beside other proxies, in one interleaved run. `./dev bench sidecar`.

In each round, under each load, every peer has its turn, as a fresh process alone on its core. What
counts are the ratios within one run; see docs/benchmarks.md.
"""
import argparse
import json
import pathlib
import shlex
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import measure  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import stage  # noqa: E402
import tables  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench sidecar", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, default=report.ROOT / "build/release/bin",
                        help=argparse.SUPPRESS)
    parser.add_argument("--envoy", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="short runs, two rounds: a first look")
    parser.add_argument("--rounds", type=int, help="5, or 2 with --quick")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH",
                        help="one more sidecar that speaks the queue-proxy environment")
    parser.add_argument("--only", default="", metavar="PEER,...", help="leave the other peers out")
    parser.add_argument("--loads", default="", metavar="LOAD,...",
                        help="of " + ", ".join(load.name for load in measure.LOADS))
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--out", type=pathlib.Path, help="result file, instead of bench/results/")
    options = parser.parse_args()
    known = {load.name for load in measure.LOADS}
    for name in filter(None, options.loads.split(",")):
        if name not in known:
            parser.error(f"--loads: got {name}, expected some of {', '.join(sorted(known))}")
    options.rounds = options.rounds or (2 if options.quick else 5)
    return options


def all_peers(options, tools):
    bin_folder = options.bin.resolve()
    found = [peers.Pilotlight("pilotlight", bin_folder / "pilotlight-proxy", report.commit())]
    for text in options.peer:
        name, _, path = text.partition("=")
        if not pathlib.Path(path).is_file():
            sys.exit(f"--peer: got {text}, expected NAME=PATH of a program")
        found.append(peers.Pilotlight(name, pathlib.Path(path).resolve(), path))
    found += [peers.Nginx(), peers.Haproxy(), peers.Relay(tools.folder / "bench-relay")]
    if options.envoy:
        found.append(peers.Envoy(options.envoy))
    only = [name for name in options.only.split(",") if name]
    unknown = set(only) - {peer.name for peer in found}
    if unknown:
        sys.exit(f"--only: got {', '.join(sorted(unknown))}, expected some of "
                 f"{', '.join(peer.name for peer in found)}")
    chosen = [peer for peer in found if not only or peer.name in only]
    missing = [peer.name for peer in chosen if peer.version is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}: ./dev bench sidecar installs them")
    return chosen


def chosen_loads(options):
    names = [name for name in options.loads.split(",") if name]
    if "rate" in names and "c64" not in names:
        names.append("c64")  # the rate is half of its slowest
    return [load for load in measure.LOADS if not names or load.name in names]


def run(bench, taking_part, loads, rounds):
    """{load: {peer: [run, ...]}} and the common rate, from all rounds."""
    runs = {load.name: {peer.name: [] for peer in taking_part
                        if peer.limits or not load.concurrency} for load in loads}
    rate = None
    for index in range(rounds):
        for load in loads:
            if load.at_rate and rate is None:
                rate = 0.5 * min(one[0]["requests_per_second"] for one in runs["c64"].values())
            turn = index % len(taking_part)
            for peer in taking_part[turn:] + taking_part[:turn]:
                if peer.name in runs[load.name]:
                    print(f"\rround {index + 1} of {rounds}, {load.name}, {peer.name}".ljust(60),
                          end="", file=sys.stderr, flush=True)
                    runs[load.name][peer.name].append(bench.under(peer, load, rate))
    print(file=sys.stderr)
    return runs, rate


def command_line():
    """As the user typed it: without what ./dev adds, and where the result went."""
    shown = sys.argv[1:]
    for added in ("--bin", "--envoy", "--out"):
        if added in shown:
            at = shown.index(added)
            del shown[at:at + 2]
    return shlex.join(["./dev", "bench", "sidecar", *shown])


def all_at_rest(bench, taking_part, runs):
    at_rest = {}
    for peer in taking_part:
        print(f"\rat rest: {peer.name}".ljust(60), end="", file=sys.stderr, flush=True)
        at_rest[peer.name] = bench.at_rest(peer)
        at_rest[peer.name]["start_ms"] = statistics.median(
            one["start_ms"] for by_peer in runs.values() for one in by_peer.get(peer.name, []))
    print(file=sys.stderr)
    return at_rest


def main():
    options = parse()
    bench = measure.Bench(options.bin.resolve(), options.quick)
    taking_part = all_peers(options, bench.tools)
    loads = chosen_loads(options)
    commit = report.commit()  # before the results make the tree dirty
    with bench.app():
        runs, rate = run(bench, taking_part, loads, options.rounds)
        at_rest = all_at_rest(bench, taking_part, runs)
    results = {
        "command": command_line(),
        "commit": commit, "machine": report.machine(), "rounds": options.rounds,
        "cores": {"proxy": stage.PROXY_CORE, "load": stage.LOAD_CORE},
        "peers": [peer.name for peer in taking_part],
        "about": {peer.name: {"version": str(peer.version), "configuration": peer.configuration}
                  for peer in taking_part},
        "what": {load.name: load.what for load in loads},
        "rate": None if rate is None else round(rate),
        "body_mib": bench.body_bytes // measure.MIB,
        "loads": {load: {peer: tables.medians(of_peer) for peer, of_peer in by_peer.items()}
                  for load, by_peer in runs.items()},
        "runs": runs, "at_rest": at_rest,
    }
    if options.output == "json":
        print(json.dumps(results, indent=1))
    else:
        print(tables.as_text(results))
    report.write(tables.as_markdown(results), "sidecar", options.out)
    failed = [one for by_peer in results["loads"].values() for one in by_peer.values()
              if one["errors"]]
    return 1 if failed else 0  # a peer that loses requests has not been measured


if __name__ == "__main__":
    sys.exit(main())
