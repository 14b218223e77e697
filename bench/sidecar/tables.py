"""From the runs of all rounds to medians, and from medians to text."""
import statistics

import report

NUMBERS = ("cpu_us_per_request", "requests_per_second", "core_busy_ratio", "p50_us", "p99_us",
           "p999_us", "peak_rss_kib", "start_ms", "instructions_per_request")
REFERENCES = ("relay", "nginx", "Envoy")


def medians(runs):
    """One run that stands for all rounds: the median of each number; errors are added up."""
    one = {}
    for name in NUMBERS:
        values = [run[name] for run in runs]
        one[name] = None if None in values else statistics.median(values)
    cpu = [run["cpu_us_per_request"] for run in runs]
    one["cpu_us_per_request_range"] = [min(cpu), max(cpu)]
    one["reconnects"] = sum(run["reconnects"] for run in runs)
    one["errors"] = {}
    for run in runs:
        for name, count in run["errors"].items():
            one["errors"][name] = one["errors"].get(name, 0) + count
    return one


def ratio(by_peer, peer, reference):
    if reference not in by_peer or peer not in by_peer or peer == reference:
        return "-"
    return f"{by_peer[peer]['cpu_us_per_request'] / by_peer[reference]['cpu_us_per_request']:.2f}"


def load_rows(by_peer, peers):
    """(columns, rows) of one load; peers it does not apply to are named."""
    references = [name for name in REFERENCES if name in peers]
    columns = ["peer", "CPU us/request", "min..max", *(f"/ {name}" for name in references),
               "instructions/request", "requests/s", "core busy", "p50 us", "p99 us", "p99.9 us",
               "peak RSS MiB"]
    rows = []
    for peer in peers:
        if peer not in by_peer:
            rows.append([peer, "not applicable", *[""] * (len(columns) - 2)])
            continue
        run = by_peer[peer]
        low, high = run["cpu_us_per_request_range"]
        count = run["instructions_per_request"]
        rows.append([
            peer, f"{run['cpu_us_per_request']:.1f}", f"{low:.1f}..{high:.1f}",
            *(ratio(by_peer, peer, reference) for reference in references),
            "not counted here" if count is None else f"{count:,.0f}",
            f"{run['requests_per_second']:,.0f}", f"{run['core_busy_ratio']:.0%}",
            *(f"{run[name]:,.0f}" for name in ("p50_us", "p99_us", "p999_us")),
            f"{run['peak_rss_kib'] / 1024:.1f}"])
    return columns, rows


def summary_rows(results):
    """CPU time per request of every peer under every load, in one table."""
    columns = ["CPU us/request", *results["peers"]]
    rows = [[load, *(f"{by_peer[peer]['cpu_us_per_request']:,.1f}" if peer in by_peer else "n/a"
                     for peer in results["peers"])]
            for load, by_peer in results["loads"].items()]
    return columns, rows


def rest_rows(results):
    columns = ["peer", "start to listening ms", "RSS idle MiB", "wake-ups/s idle",
               "KiB per idle connection", f"RSS after {results['body_mib']} MiB bodies, MiB"]
    rows = []
    for peer, rest in results["at_rest"].items():
        rows.append([peer, f"{rest['start_ms']:.1f}", f"{rest['idle_rss_kib'] / 1024:.1f}",
                     f"{rest['wakes_per_second']:.1f}", f"{rest['kib_per_idle_connection']:.1f}",
                     f"{rest['rss_after_large_bodies_kib'] / 1024:.1f}"])
    return columns, rows


def disturbances(results):
    """Everything that was not one answer after another, so that no figure hides it."""
    lines = []
    for load, by_peer in results["loads"].items():
        for peer, run in by_peer.items():
            if run["errors"]:
                lines.append(f"{peer}, {load}: " + ", ".join(
                    f"{count} x {name}" for name, count in sorted(run["errors"].items())))
            if run["reconnects"]:
                lines.append(f"{peer}, {load}: ended {run['reconnects']} keep-alive connections")
    return lines


def sections(results, table):
    """The lines of all tables; `table` formats one from (columns, rows)."""
    lines = ["## All loads", "", *table(*summary_rows(results))]
    for load, by_peer in results["loads"].items():
        what = results["what"][load]
        if load == "rate":
            what += f": {results['rate']:,} requests/s"
        lines += ["", f"## {load}: {what}", "", *table(*load_rows(by_peer, results["peers"]))]
    lines += ["", "## At rest", "", *table(*rest_rows(results)), "", "## Errors and reconnects", ""]
    return lines + ([f"- {line}" for line in disturbances(results)] or ["none"])


def as_text(results):
    return "\n".join(sections(results, report.text_table))


def as_markdown(results):
    lines = report.heading(
        "The sidecar beside others", results["command"],
        f"rounds: {results['rounds']}, every load once by every peer in each, in turn; medians, "
        "and the smallest and largest CPU time",
        f"cores: proxy on {results['cores']['proxy']}, app and generator on "
        f"{results['cores']['load']}",
        "CPU time is that of the whole proxy process within the measured window",
        at_commit=results["commit"])
    lines += sections(results, report.markdown_table)
    lines += ["", "## Peers and their configuration", ""]
    for peer in results["peers"]:
        about = results["about"][peer]
        lines += [f"### {peer} {about['version']}", "", "```", about["configuration"].rstrip(),
                  "```", ""]
    return lines
