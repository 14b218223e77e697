#!/usr/bin/env python3
"""The regression gate: what one request costs the sidecar against bench/gate.json.

`./dev bench gate` checks; `./dev bench gate --update` writes new figures, for a commit that says
why. It counts instructions and system calls, so a busy machine does not change the answer.
"""
import argparse
import json
import pathlib
import sys

import callgrind
import report
from lockstep import FAILED, Lockstep

FIGURES = report.ROOT / "bench" / "gate.json"
TOLERANCE = 0.03
CALL_TOLERANCE = 0.05  # of calls per request: one more every twenty requests is a change
# A receive before its bytes have come fails, and how often that happens is chance (measured: 1.03
# to 1.28 a request); one more in every request is not.
FAILED_TOLERANCE = 0.75
FUNCTIONS = 15


def problems(expected, got_instructions, got_calls):
    """Lines that say what is not as expected; less of anything is a problem too: take the gain."""
    found = []
    wanted = expected["instructions_per_request"]
    change = got_instructions / wanted - 1
    if abs(change) > TOLERANCE:
        found.append(f"instructions per request: got {got_instructions:.0f}, expected {wanted:.0f} "
                     f"+-{TOLERANCE:.0%} ({change:+.1%})")
    calls = expected["system_calls_per_request"]
    for name in sorted({*calls, *got_calls}):
        got, wanted = got_calls.get(name, 0), calls.get(name, 0)
        tolerance = FAILED_TOLERANCE if name.endswith(FAILED) else CALL_TOLERANCE
        # A connection that was used a moment ago is not looked at: how often depends on the clock.
        off = got - wanted if name.endswith(FAILED) else abs(got - wanted)
        if off > tolerance:
            found.append(f"{name} calls per request: got {got:.2f}, expected {wanted:.2f}")
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bin", type=pathlib.Path, default=report.ROOT / "build/release/bin")
    arguments.add_argument("--update", action="store_true", help="write bench/gate.json")
    options = arguments.parse_args()

    lockstep = Lockstep(options.bin.resolve())
    cost = lockstep.instructions_per_request()
    calls = lockstep.system_calls_per_request()
    print(f"instructions per request: {cost['instructions']:.0f}")
    print("system calls per request: " + (", ".join(f"{name} {rate:.2f}"
                                                   for name, rate in calls.items())))
    if options.update:
        figures = {"instructions_per_request": round(cost["instructions"]),
                   "system_calls_per_request": {name: round(rate, 1)
                                                for name, rate in calls.items()}}
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
        print(f"written to {FIGURES.relative_to(report.ROOT)}")
        return 0
    found = problems(json.loads(FIGURES.read_text()), cost["instructions"], calls)
    if not found:
        print("gate: passed")
        return 0
    print("gate: FAILED", *found, f"the {FUNCTIONS} functions that spend most, per request:",
          *callgrind.top(cost["self"], FUNCTIONS, cost["instructions"]),
          "a wanted change: ./dev bench gate --update, and say why in the commit",
          sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
