"""What every bench says about where its figures come from, and how it writes them down."""
import datetime
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def commit():
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                          capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def machine():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines
                  if line.startswith("model name")), platform.machine())
    cores = len([line for line in lines if line.startswith("processor")])
    return f"{cores} x {model}, Linux {platform.release()}"


def summary(values):
    """(median, 90th percentile, largest)."""
    ordered = sorted(values)
    return (statistics.median(ordered), ordered[int(0.9 * (len(ordered) - 1))], ordered[-1])


def heading(title, command, *facts, at_commit=None):
    """The first lines of a results file: what, with which command, from which commit, where."""
    return [f"# {title}, {datetime.date.today()}", "", f"- command: `{command}`",
            f"- commit: {at_commit or commit()}", f"- machine: {machine()}",
            *(f"- {fact}" for fact in facts), ""]


def markdown_table(columns, rows):
    """Left-aligned text cells; the caller has formatted the numbers."""
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns),
            *("| " + " | ".join(row) + " |" for row in rows)]


def text_table(columns, rows):
    """The same for a terminal: the first column to the left, figures to the right."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    return ["  ".join([row[0].ljust(widths[0]),
                       *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]).rstrip()
            for row in [columns, *rows]]


def write(lines, topic, out=None):
    """Writes bench/results/<date>-<topic>.md, or `out`, and says where."""
    path = out or ROOT / "bench" / "results" / f"{datetime.date.today()}-{topic}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    print(f"written to {shown}", file=sys.stderr)
