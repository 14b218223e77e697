"""What docs/metrics.md says and what a program exposes, in one form:
{family: (type, names of labels)}."""
import re

from harness import ROOT


def section(title):
    """The part of the page below this heading."""
    page = (ROOT / "docs/metrics.md").read_text()
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def documented(text):
    """What the tables say. One without a column of labels has those of the text before it."""
    found, columns, prose = {}, [], ""
    for line in text.splitlines():
        if not line.startswith("|"):
            columns, prose = [], prose + line + " "
            continue
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        columns = columns or cells
        row = dict(zip(columns, cells))
        common = "".join(re.findall(r"labels ((?:`\w+`,? ?)+)", prose)[-1:])
        for name in re.findall(r"`(\w+)`", row["name"]):
            found[name] = row["type"], set(re.findall(r"\w+", row.get("labels", common)))
    return found


def exposed(text):
    """What Prometheus text has. A family without a sample is not in it."""
    kinds, found = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)), {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, re.M):
        family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
        _, names = found.setdefault(family, (kinds[family], set()))
        names |= set(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels)) - {"le"}
    return found
