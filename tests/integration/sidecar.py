"""pilotlight-proxy alone, as Knative's controller would start it, in front of the echo app."""
import re
import signal
import socket
import subprocess
import threading

from harness import BIN, wait_for
from http1 import ask_now
from queue_proxy import environment, free_port, own_address

PROXY = BIN / "pilotlight-proxy"
ECHO = BIN / "echo-server"


class App:
    """One echo-server on a free port of loopback."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.process = subprocess.Popen([ECHO, "--port", str(self.port), "--address", "127.0.0.1"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Sidecar:
    """A running pilotlight-proxy on Knative's ports of a loopback address of its own."""

    def __init__(self, user_port, stdout=subprocess.PIPE, **changes):
        self.address = own_address()
        self.main, self.admin, self.stats = [(self.address, port) for port in (8012, 8022, 9090)]
        self.process = subprocess.Popen(
            [PROXY], env=environment(user_port, self.address, **changes), text=True,
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
        self.log, self.lines = [], []  # standard error, standard output
        self._readers = [threading.Thread(target=self._collect, args=pair, daemon=True)
                         for pair in ((self.process.stderr, self.log),
                                      (self.process.stdout, self.lines)) if pair[0]]
        for reader in self._readers:
            reader.start()
        wait_for("the sidecar to listen", self._listens)

    @staticmethod
    def _collect(stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    def _listens(self):
        assert self.process.poll() is None, "\n".join(self.log)
        with socket.socket() as probe:
            return probe.connect_ex(self.main) == 0

    def ask(self, path="/", host="iris", **request):
        return ask_now(self.main, host, path, **request)

    def probe(self, agent="kube-probe/1.30", target="queue", timeout=20):
        headers = {"User-Agent": agent, "K-Network-Probe": target}
        return ask_now(self.main, "iris", "/", timeout, headers=headers)

    def wait_ready(self):
        wait_for("a ready app", lambda: self.probe().status == 200)
        return self

    def metrics(self, port=9091):
        """{sample with its labels as written: value}"""
        text = ask_now((self.address, port), "iris", "/metrics").body.decode()
        return {name: float(value) for name, value in
                re.findall(r"^([^#\s]\S*) (\S+)$", text, re.M)}

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds):
        """Its exit code."""
        return self.process.wait(seconds)

    def stop(self):
        """Ends it at once, and closes what it wrote to."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def run_proxy(*arguments, env):
    """Runs it to its end."""
    return subprocess.run([PROXY, *arguments], env=env, capture_output=True, text=True, timeout=30)
