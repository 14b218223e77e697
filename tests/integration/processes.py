"""Processes and sockets of this machine, read from /proc."""
import os
import pathlib


def stat_of(pid):
    """(parent, state, start time) of a process, or None when there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), fields[0], int(fields[19])


def identity(pid):
    """What tells this process from a later one with its number; None for zombies and the gone."""
    stat = stat_of(pid)
    return None if stat is None or stat[1] in "ZX" else (pid, stat[2])


def is_running(who):
    return identity(who[0]) == who


def descendants(pid):
    """Identities of all processes below this one."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = stat_of(int(entry))
            if stat and stat[1] not in "ZX":
                children.setdefault(stat[0], []).append((int(entry), stat[2]))
    found, pending = [], [pid]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += [who[0] for who in below]
    return found


def program(pid):
    """The file name of what runs as this process, or an empty string."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def listening(prefix):
    """IPv4 (address, port) pairs that something listens on, whose address starts so."""
    found = []
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] != "0A":
            continue
        address, port = fields[1].split(":")
        dotted = ".".join(str(byte) for byte in reversed(bytes.fromhex(address)))
        if dotted.startswith(prefix):
            found.append((dotted, int(port, 16)))
    return found
