"""What one request costs the sidecar, counted and not timed: the same on a busy machine.

One client sends one request at a time over one connection to the real pilotlight-proxy, first few,
then more; what the longer run spent beyond the shorter one is the cost of the requests between them
and of nothing else. Instructions are user-space ones, as callgrind sees them; system calls are what
strace counts.
"""
import collections
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import callgrind
import stage

FAILED = " (failed)"  # after the name of a system call
FEW = 300
MORE = 1300

# glibc picks its string functions by what the CPU has and is said to be good at, and where they
# change their way by its caches: fix all of it, or the counts move from machine to machine.
HARDWARE = ("AVX512F", "AVX512VL", "AVX512BW", "AVX2", "AVX", "AVX_Fast_Unaligned_Load", "BMI1",
            "BMI2", "LZCNT", "MOVBE", "ERMS", "FSRM", "RTM", "SSSE3", "SSE4_1", "SSE4_2",
            "Fast_Unaligned_Load", "Fast_Unaligned_Copy", "Fast_Rep_String", "Fast_Copy_Backward",
            "Slow_BSF", "Slow_SSE4_2")
TUNABLES = ":".join(("glibc.cpu.hwcaps=" + ",".join("-" + name for name in HARDWARE),
                     "glibc.cpu.x86_data_cache_size=0x8000",
                     "glibc.cpu.x86_shared_cache_size=0x100000",
                     "glibc.cpu.x86_non_temporal_threshold=0xc0000"))


class Lockstep:
    def __init__(self, binaries):
        self.proxy = binaries / "pilotlight-proxy"
        self.tools = stage.Tools(binaries)

    def _run(self, tracer, requests, finish):
        """Runs the proxy under the tracer until it has answered so many; then finish(running) makes
        the tracer write what it has counted.
        """
        app_port, port = stage.free_port(stage.LOOPBACK), stage.free_port()
        environment = stage.sidecar_environment(port, app_port)
        environment.update(GLIBC_TUNABLES=TUNABLES, PILOTLIGHT_LOG_LEVEL="error")
        with self.tools.answer_server(app_port), \
                stage.Running([*tracer, self.proxy], stage.PROXY_CORE, environment) as running:
            running.wait_listening(stage.ADDRESS, port)
            result = self.tools.load(port, "--requests", requests)
            if result["errors"] or result["reconnects"] or result["requests"] != requests:
                raise RuntimeError(f"not one undisturbed connection: {result}")
            finish(running)

    def profile(self, requests):
        with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
            out = pathlib.Path(folder) / "callgrind.out"
            self._run(["valgrind", "--tool=callgrind", "--dump-line=no", "--compress-pos=no",
                       f"--callgrind-out-file={out}"], requests, dump_callgrind)
            return callgrind.parse(pathlib.Path(f"{out}.1").read_text())

    def system_calls(self, requests):
        with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
            out = pathlib.Path(folder) / "strace.out"
            self._run(["strace", "-f", "-c", "-o", out], requests, end_under_strace)
            return parse_strace(out.read_text())

    def instructions_per_request(self, few=FEW, more=MORE):
        """{"instructions", "self", "inclusive", "calls"}, each per request."""
        return self.profile(more).per_request(self.profile(few), more - few)

    def system_calls_per_request(self, few=FEW, more=MORE):
        """{name: calls per request}, to a hundredth; what a whole run does less than that is left
        out: timers and signals, not requests."""
        difference = self.system_calls(more)
        difference.subtract(self.system_calls(few))
        rates = {name: round(count / (more - few), 2) for name, count in difference.items()}
        return {name: rate for name, rate in sorted(rates.items()) if abs(rate) >= 0.02}


def parse_strace(text):
    """Calls by name from the table of `strace -c`; those that failed count under another name."""
    counts = collections.Counter()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[0][:1].isdigit() and fields[-1] != "total":
            failed = int(fields[4]) if len(fields) == 6 else 0
            counts[fields[-1]] = int(fields[3]) - failed
            if failed:
                counts[fields[-1] + FAILED] = failed
    return counts


def dump_callgrind(running):
    subprocess.run(["callgrind_control", "--dump", str(running.pid)], check=True,
                   capture_output=True, timeout=30)


def end_under_strace(running):
    """strace writes when its child has ended. A first SIGTERM begins Knative's 30 s of drain, a
    second one ends it."""
    deadline = time.monotonic() + 30
    while running.process.poll() is None:
        if time.monotonic() > deadline:
            raise RuntimeError("pilotlight-proxy did not end within 30 s of a second SIGTERM")
        subprocess.run(["pkill", "-TERM", "-P", str(running.pid)], check=False)
        time.sleep(0.1)
