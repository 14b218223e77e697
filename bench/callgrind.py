"""Reads what valgrind's callgrind wrote: instructions per function, alone and with all it calls."""
import collections
import dataclasses
import re


@dataclasses.dataclass
class Profile:
    total: int = 0
    self_cost: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    inclusive: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    calls: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def per_request(self, shorter, requests):
        """What this longer run spent beyond the shorter one, per request between them."""
        def difference(name):
            counter = collections.Counter(getattr(self, name))
            counter.subtract(getattr(shorter, name))
            return {key: value / requests for key, value in counter.items() if value}
        return {"instructions": (self.total - shorter.total) / requests,
                "self": difference("self_cost"), "inclusive": difference("inclusive"),
                "calls": difference("calls")}


NAME = re.compile(r"\((\d+)\)(?: (.*))?")


def parse(text):
    """A Profile of one callgrind.out file (one event: instructions; name compression on)."""
    names, profile = {}, Profile()
    function = called = None
    calls = 0

    def resolve(value):
        number, name = NAME.fullmatch(value).groups()
        if name is not None:
            names[number] = name
        return names[number]

    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key == "fn":
            function = resolve(value)
        elif equals and key == "cfn":
            called = resolve(value)
        elif equals and key == "calls":
            calls = int(value.split()[0])
        elif line[:1] in "0123456789+-*" and line and function is not None:
            cost = int(line.split()[1])
            if called is None:
                profile.self_cost[function] += cost
                profile.total += cost
                profile.inclusive[function] += cost
            else:
                profile.calls[called] += calls
                if called != function:  # its own recursion is in it already
                    profile.inclusive[function] += cost
                called = None
    return profile


def short(name, width=88):
    """A C++ name that fits a line: without template arguments and parameters."""
    name = name.replace("(anonymous namespace)", "{anonymous}").replace("operator()", "operator{}")
    while True:
        fewer = re.sub(r"(?<=[\w}])<[^<>]*>", "", name)
        if fewer == name:
            break
        name = fewer
    if name.startswith("("):
        return name
    name, _, rest = name.partition("(")
    name = name.split(" ")[-1] if "operator " not in name else name  # its return type
    if ".actor" in rest:
        name += " [coroutine]"
    return name if len(name) <= width else name[:width - 3] + "..."


def top(costs, count, total):
    """Lines "  cost  share  name" of the largest."""
    largest = sorted(costs.items(), key=lambda item: -item[1])[:count]
    return [f"{cost:>10.1f} {cost / total:>6.1%}  {short(name)}" for name, cost in largest]
