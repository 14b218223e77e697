#!/usr/bin/env python3
"""Fails if a file includes something its folder must not know. Run by ctest as `check_layering`.

Three rules, each a table below: folders include only folders under them, the parts of common/ have
an order among themselves, and a few third-party headers belong to a few folders.
"""
import pathlib
import re
import sys

# Top-level folder: the folders it may include, besides itself.
MAY_INCLUDE = {
    "common": set(),
    "config": {"common"},
    "proxy": {"common", "config"},
    "activator": {"common", "config"},
    "autoscaler": {"common", "config"},
    "controller": {"common", "config"},
    "local": {"common", "config"},
    "cli": {"common", "config", "local", "autoscaler"},
    "examples": {"common"},
}

# Part of common/: the parts it may include, besides itself.
COMMON_MAY_INCLUDE = {
    "base": set(),
    "async": {"base"},
    "net": {"base", "async"},
    "http": {"base", "async", "net", "flow", "stats"},
    "control": {"base", "async", "net", "http"},
    "kube": {"base", "async", "net", "http", "control"},
    "flow": {"base", "async"},
    "stats": {"base"},
    "wire": {"base", "async", "net", "stats"},
    "metrics": {"base", "stats"},
}

JSON_HOMES = ("common/kube/", "common/control/", "config/", "local/", "cli/", "controller/",
              "tests/", "bench/")
JSON_NAMES = re.compile(r"/[a-z_]*(admin|status|json)[a-z_]*\.(h|cc)$")
PURE = re.compile(r"^common/(flow|stats)/|^common/wire/(frame|codec)[a-z_]*\.(h|cc)$"
                  r"|^autoscaler/decide[a-z_]*\.(h|cc)$|^common/metrics/exposition\.")

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def problem(path, quote, header):
    """What is wrong with this include in the file at this path (relative to the root), or None."""
    parts = path.split("/")
    target = header.split("/")
    if quote == '"' and len(target) > 1 and parts[0] in MAY_INCLUDE:
        if target[0] not in MAY_INCLUDE[parts[0]] | {parts[0]}:
            return f"{parts[0]}/ may not include {target[0]}/"
        if parts[0] == "common" and len(target) > 2 and len(parts) > 2:
            if parts[1] not in COMMON_MAY_INCLUDE:
                return f"common/{parts[1]}/ has no row in COMMON_MAY_INCLUDE"
            if target[1] not in COMMON_MAY_INCLUDE[parts[1]] | {parts[1]}:
                return f"common/{parts[1]}/ may not include common/{target[1]}/"
    if quote == '"' and target[0] in ("tests", "bench") and parts[0] not in ("tests", "bench"):
        return f"nothing that ships may include {target[0]}/"
    if header.startswith("nlohmann/"):
        if not path.startswith(JSON_HOMES) and not JSON_NAMES.search("/" + path):
            return "JSON is for the control path (kube, control, config, local, cli, status pages)"
    if header.startswith("openssl/") and not path.startswith(("common/net/", "tests/", "bench/")):
        return "OpenSSL ends at common/net/: everything else that ships sees a Transport"
    if header.startswith("yaml-cpp/") and not path.startswith(("config/", "tests/config/")):
        return "YAML ends at the border: only config/ reads it"
    if re.match(r"boost/(asio|beast)/", header) and PURE.search(path):
        return "this file decides; sockets and timers belong to its caller"
    return None


def main(root):
    bad = []
    files = 0
    for folder in [*MAY_INCLUDE, "tests", "bench"]:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            name = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                found = match and problem(name, match[1], match[2])
                if found:
                    bad.append(f"{name}:{number}: {found}")
    print("\n".join(bad) or f"layering: {files} files clean")
    return 1 if bad or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
