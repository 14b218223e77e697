#!/usr/bin/env python3
"""Fails on calls that hide time, chance, the environment or a lifetime. Run as `check_banned`.

Each rule says where it is allowed and why it exists; an exception is one more path in its row, and
that is a change a reviewer sees.
"""
import pathlib
import re
import sys

from cpp_text import code_only, line_of, sources

FOLDERS = ("common", "config", "proxy", "activator", "autoscaler", "controller", "local", "cli",
           "examples", "bench", "tests")
OUTSIDE = r"(^|/)main\.cc$|^tests/(?:integration|conformance|cluster)/|^bench/|^examples/"
CLOCKS = r"^common/base/system_clock\.cc$|" + OUTSIDE

# (what, pattern, where it is allowed, where it applies, why)
RULES = [
    ("clock", r"\b\w*_clock::now\s*\(", CLOCKS, r"", "time is a parameter: pass now, or a Clock"),
    ("clock", r"(?<![\w.>])(?:std::|::)?(?:time\s*\(\s*(?:0|NULL|nullptr|&\w+)\s*\)|gettimeofday\s*\()",
     CLOCKS, r"", "time is a parameter: pass now, or a Clock"),
    ("sleep", r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w.>])::sleep\s*\(", OUTSIDE, r"",
     "nothing waits without a deadline and an owner: use a Timer"),
    ("chance", r"\brandom_device\b", CLOCKS, r"", "randomness is seeded by the composition root"),
    ("environment", r"\b(?:secure_)?getenv\s*\(", CLOCKS, r"",
     "the environment is read once, in main, through config/"),
    ("detached", r"\basio::detached\b|\.detach\s*\(\s*\)", r"^$", r"",
     "what is spawned can be cancelled and joined: Scope::spawn"),
    ("co_spawn", r"\bco_spawn\s*\(", r"^common/async/|^tests/support/", r"",
     "only Scope starts coroutines"),
    ("lock", r"\bstd::(?:mutex|shared_mutex|recursive_mutex|condition_variable\w*|lock_guard"
     r"|unique_lock|scoped_lock)\b", r"^$", r"^(?:proxy|activator|common/flow|common/stats)/",
     "state has one shard: post to it"),
    ("using namespace", r"^\s*using\s+namespace\b", r"^$", r"\.h$",
     "a header does not choose names for its readers"),
]


def findings(name, text):
    """(line, what, why) of everything banned in the file of this name."""
    code = code_only(text)
    found = []
    for what, pattern, allowed, applies, why in RULES:
        if re.search(allowed, name) or not re.search(applies, name):
            continue
        for match in re.finditer(pattern, code, re.M):
            found.append((line_of(code, match.start() + len(match[0]) - len(match[0].lstrip())),
                          what, why))
    return sorted(found)


def main(root):
    bad, files = [], 0
    for path in sources(root, FOLDERS):
        files += 1
        name = path.relative_to(root).as_posix()
        for line, what, why in findings(name, path.read_text()):
            bad.append(f"{name}:{line}: {what}: {why}")
    print("\n".join(bad) or f"banned calls: {files} files clean")
    return 1 if bad or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
