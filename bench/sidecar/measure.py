"""The loads, and what is measured of one proxy under one of them."""
import dataclasses
import json
import pathlib
import subprocess
import tempfile
import time

import stage

MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    what: str
    arguments: tuple
    concurrency: int = 0  # the limit that the proxy is given
    streams: bool = False  # a fixed number of requests: each lasts as long as its events do
    at_rate: bool = False


LOADS = (
    Load("c1", "1 connection, POST 86 B -> 110 B", ("--connections", 1)),
    Load("c64", "64 connections, POST 86 B -> 110 B", ("--connections", 64)),
    Load("c512", "512 connections, POST 86 B -> 110 B", ("--connections", 512)),
    Load("rate", "64 connections at the same rate for all: half of what the slowest peer can (c64)",
         ("--connections", 64), at_rate=True),
    Load("answer-16k", "64 connections, answers of 16 KiB",
         ("--connections", 64, "--path", "/bytes/16384")),
    Load("answer-1m", "64 connections, answers of 1 MiB",
         ("--connections", 64, "--path", f"/bytes/{MIB}")),
    Load("upload-16k", "64 connections, uploads of 16 KiB",
         ("--connections", 64, "--body", 16384)),
    Load("upload-1m", "64 connections, uploads of 1 MiB", ("--connections", 64, "--body", MIB)),
    Load("events", "64 event streams of 100 events, one each 5 ms; a request is a stream",
         ("--connections", 64, "--body", 0, "--path", "/events/100/5"), streams=True),
    Load("connect", "16 clients, a new connection for each request",
         ("--connections", 16, "--reconnect")),
    Load("limit-8", "64 connections, concurrency limit 8", ("--connections", 64), concurrency=8),
)


class Bench:
    """Measures one fresh proxy process at a time, all in front of the same app."""

    def __init__(self, binaries, quick):
        self.tools = stage.Tools(binaries)
        self.app_port = stage.free_port(stage.LOOPBACK)
        self.seconds, self.warm_up = (0.6, 0.2) if quick else (1.5, 0.3)
        self.stream_rounds = 1 if quick else 3
        self.idle_seconds = 3 if quick else 10
        self.body_bytes = 128 * MIB if quick else 1024 * MIB
        self.counts_instructions = perf_counts()

    def app(self):
        return self.tools.answer_server(self.app_port)

    def under(self, peer, load, rate=None):
        """One run of this load against a fresh process of this peer."""
        with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as name:
            port = stage.free_port()
            with peer.start(port, self.app_port, load.concurrency, pathlib.Path(name)) as proxy:
                start_ms = proxy.wait_listening(stage.ADDRESS, port)
                result, instructions = self._load(proxy, port, load, rate, pathlib.Path(name))
                peak = proxy.status("VmHWM")
        requests = result["requests"]
        if requests == 0:
            raise RuntimeError(f"{peer.name}: no request was answered under {load.name}: {result}")
        return {
            "cpu_us_per_request": result["cpu_seconds"] / requests * 1e6,
            "requests_per_second": requests / result["seconds"],
            "core_busy_ratio": result["cpu_seconds"] / result["seconds"],
            "p50_us": result["p50_us"], "p99_us": result["p99_us"], "p999_us": result["p999_us"],
            "peak_rss_kib": peak, "start_ms": start_ms,
            "instructions_per_request": instructions,
            "reconnects": result["reconnects"], "errors": result["errors"],
        }

    def _load(self, proxy, port, load, rate, folder):
        arguments = [*load.arguments, "--cpu-of", proxy.pid]
        if load.streams:
            arguments += ["--requests", 64 * self.stream_rounds]
        else:
            arguments += ["--seconds", self.seconds, "--warm-up", self.warm_up]
        if load.at_rate:
            arguments += ["--rate", max(1, round(rate))]  # 0 would be a closed loop
        if not self.counts_instructions:
            return self.tools.load(port, *arguments), None
        out = folder / "perf"
        done = subprocess.run(
            ["perf", "stat", "-x", ",", "-e", "instructions", "-p", str(proxy.pid), "-o", str(out),
             *self.tools.load_command(port, *arguments)],
            capture_output=True, text=True, check=True, timeout=120)
        result = json.loads(done.stdout)
        return result, counted(out.read_text()) / result["all_requests"]

    def at_rest(self, peer):
        """What it costs when nothing happens, and what large bodies leave behind."""
        with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as name:
            port = stage.free_port()
            with peer.start(port, self.app_port, 0, pathlib.Path(name)) as proxy:
                proxy.wait_listening(stage.ADDRESS, port)
                time.sleep(1)
                switches = proxy.voluntary_switches()
                time.sleep(self.idle_seconds)
                switches = proxy.voluntary_switches() - switches
                idle = proxy.status("VmRSS")
                per_connection = (self._holding(proxy, port, 1000) - idle) / 1000
            port = stage.free_port()
            with peer.start(port, self.app_port, 0, pathlib.Path(name)) as proxy:
                proxy.wait_listening(stage.ADDRESS, port)
                for way in (("--path", f"/bytes/{self.body_bytes}"), ("--body", self.body_bytes)):
                    result = self.tools.load(port, "--requests", 1, *way)
                    if result["errors"] or result["requests"] != 1:
                        raise RuntimeError(f"{peer.name}: a large body failed: {result}")
                after_bodies = proxy.status("VmRSS")
        return {"wakes_per_second": switches / self.idle_seconds, "idle_rss_kib": idle,
                "kib_per_idle_connection": per_connection,
                "rss_after_large_bodies_kib": after_bodies}

    def _holding(self, proxy, port, connections):
        """Its RSS while so many keep-alive connections idle, each after one request."""
        holder = subprocess.Popen(
            self.tools.load_command(port, "--hold", "--connections", connections),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if holder.stdout.readline().strip() != "holding":
                raise RuntimeError("bench-load could not open its connections")
            time.sleep(0.2)
            return proxy.status("VmRSS")
        finally:
            holder.communicate()


def perf_counts():
    """Whether this machine lets `perf` count instructions."""
    try:
        done = subprocess.run(["perf", "stat", "-x", ",", "-e", "instructions", "true"],
                              capture_output=True, text=True, timeout=30)
    except OSError:
        return False
    return done.returncode == 0 and counted(done.stderr) is not None


def counted(text):
    """The number of a `perf stat -x,` line for instructions; None where it is not supported."""
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2].startswith("instructions") and fields[0].isdigit():
            return int(fields[0])
    return None
