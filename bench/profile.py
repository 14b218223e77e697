#!/usr/bin/env python3
"""What a request's instructions are made of: callgrind's list. `./dev bench profile`."""
import argparse
import pathlib
import sys

import callgrind
import report
from lockstep import FEW, Lockstep


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bin", type=pathlib.Path, default=report.ROOT / "build/release/bin")
    arguments.add_argument("--requests", type=int, default=1000)
    arguments.add_argument("--functions", type=int, default=40, help="lines per list")
    arguments.add_argument("--calls", action="store_true", help="also how often each is called")
    options = arguments.parse_args()

    cost = Lockstep(options.bin.resolve()).instructions_per_request(FEW, FEW + options.requests)
    total = cost["instructions"]
    print(f"{total:.0f} instructions per request")
    print("\nalone:", *callgrind.top(cost["self"], options.functions, total), sep="\n")
    print("\nwith what they call (recursion counts more than once):",
          *callgrind.top(cost["inclusive"], options.functions, total), sep="\n")
    if options.calls:
        largest = sorted(cost["calls"].items(), key=lambda item: -item[1])[:options.functions]
        print("\ncalls per request:",
              *(f"{count:>10.2f}  {callgrind.short(name)}" for name, count in largest), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
