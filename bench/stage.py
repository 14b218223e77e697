"""Starts what a measurement of one proxy needs: the app behind it, the proxy, the load in front.

Everything runs on a loopback address of its own; the proxy has one core, the app and the generator
share another. On a machine with one core all share it, and the results say so.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests/integration"))
import queue_proxy  # noqa: E402

CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[-1], CORES[0]
ADDRESS = f"127.31.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
LOOPBACK = "127.0.0.1"  # where an app listens, as a sidecar expects it


def free_port(address=ADDRESS):
    return queue_proxy.free_port(address)


def sidecar_environment(listen_port, app_port, concurrency=0):
    """Knative's queue-proxy environment, and ours for the ports that Knative fixes."""
    return {
        "CONTAINER_CONCURRENCY": str(concurrency),
        "QUEUE_SERVING_PORT": str(listen_port),
        "QUEUE_SERVING_TLS_PORT": str(free_port()),
        "USER_PORT": str(app_port),
        "REVISION_TIMEOUT_SECONDS": "300",
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "SERVING_NAMESPACE": "default",
        "SERVING_CONFIGURATION": "bench",
        "SERVING_REVISION": "bench-00001",
        "SERVING_POD": "bench-00001-pod",
        "SERVING_POD_IP": ADDRESS,
        "PILOTLIGHT_LISTEN_ADDRESS": ADDRESS,
        "PILOTLIGHT_ADMIN_LISTEN": f"{ADDRESS}:{free_port()}",
        "PILOTLIGHT_STATS_LISTEN": f"{ADDRESS}:{free_port()}",
    }


class Running:
    """A process group of ours, killed at the end of the `with`."""

    def __init__(self, command, core, environment=None, output=subprocess.DEVNULL, folder=None):
        self.name = str(command[0])
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True, cwd=folder,
            env={"PATH": os.environ["PATH"], **(environment or {})})
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self, how=signal.SIGKILL):
        """Ends the whole group and waits for the process."""
        try:
            os.killpg(self.pid, how)
        except ProcessLookupError:
            pass
        return self.process.wait(60)

    def wait_listening(self, address, port, seconds=30):
        """Milliseconds from the start until a connect succeeded."""
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((address, port)) == 0:
                    return (time.monotonic() - self.started) * 1000
            code = self.process.poll()
            if code is not None:
                raise RuntimeError(f"{self.name}: ended with {code} before it listened")
            if time.monotonic() - self.started > seconds:
                raise RuntimeError(f"{self.name}: did not listen on {address}:{port}")
            time.sleep(0.0005)

    def status(self, field):
        """A number of /proc/PID/status: VmRSS (KiB), voluntary_ctxt_switches..."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise RuntimeError(f"{self.name}: no {field} in its status; it has ended with "
                           f"{self.process.poll()}: are its ports taken?")

    def voluntary_switches(self):
        """Of all its threads: how often one of them has gone to sleep and been woken."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "status").read_text().split("\nvoluntary_ctxt_switches:")[1]
                         .split()[0])
        return total


class Tools:
    """The programs of build/<preset>/bench."""

    def __init__(self, binaries):
        self.folder = binaries.parent / "bench"

    def answer_server(self, port):
        server = Running([self.folder / "bench-answer-server", f"{LOOPBACK}:{port}"], LOAD_CORE)
        server.wait_listening(LOOPBACK, port)
        return server

    def load_command(self, port, *arguments):
        return ["taskset", "-c", str(LOAD_CORE), str(self.folder / "bench-load"), "--target",
                f"{ADDRESS}:{port}", *map(str, arguments)]

    def load(self, port, *arguments, timeout=120):
        """One run of the generator; what it measured."""
        done = subprocess.run(self.load_command(port, *arguments), capture_output=True, text=True,
                              timeout=timeout)
        if done.returncode != 0:
            raise RuntimeError(f"bench-load: exit {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)
