"""Starts the product as a user does, and looks at it as a user can.

Only public surfaces are used: the command line, `status -o json`, up.json, the kubeconfig, HTTP and
/proc. Every wait has a bound well above what the product promises: these tests find what is lost or
doubled, the benches say how fast.
"""
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.parse
import urllib.request

import yaml

import processes
from http1 import ask_now

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("PILOTLIGHT_BIN", ROOT / "build/release/bin")).resolve()
PILOTLIGHT = BIN / "pilotlight"
TEST_FOLDER = ROOT / "tests" / "integration"


def wait_for(what, probe, seconds=30, every=0.02):
    """Polls until probe() is truthy and returns that; fails with the name of what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline  # a stop between the two costs a probe, not the wait
        last = probe()
        if last:
            return last
        if late:
            raise AssertionError(f"{what}: not within {seconds} s (last seen: {last!r})")
        time.sleep(every)


def echo_service(name="echo", concurrency=4, env=None, args=(), probe=False, timeout_seconds=60,
                 command=("echo-server",), **annotations):
    """A manifest of the echo app. Annotations by their short names: max_scale="8"."""
    template = {"spec": {
        "containerConcurrency": concurrency,
        "timeoutSeconds": timeout_seconds,
        "containers": [{
            "name": "echo", "image": "echo", "command": list(command),
            "args": list(args),
            "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        }],
    }}
    if probe:
        template["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/stats"}}
    if annotations:
        template["metadata"] = {"annotations": {
            "autoscaling.knative.dev/" + key.replace("_", "-"): value
            for key, value in annotations.items()}}
    return yaml.safe_dump({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"template": template}})


def run(*arguments, state_dir=None, timeout=60, binary=PILOTLIGHT, **options):
    """Runs the command line to its end; nothing is raised for an exit code."""
    command = [str(binary), *map(str, arguments)]
    if state_dir is not None:
        command += ["--state-dir", str(state_dir)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, **options)


class Up:
    """One running `pilotlight up`."""

    def __init__(self, state_dir, *manifests, listen="127.0.0.1:0", api="127.0.0.1:0",
                 options=(), command=None, environment=None):
        self.state_dir = pathlib.Path(state_dir)
        self.seen = set()  # identities of every process ever seen below this up
        self.output_file = self.state_dir.with_name(self.state_dir.name + ".out")
        paths = [self._as_file(index, manifest) for index, manifest in enumerate(manifests)]
        arguments = [*(command or [PILOTLIGHT, "up"]), *paths, "--listen", listen, "--api", api,
                     "--state-dir", self.state_dir, *options]
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments], stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})},
                start_new_session=True)

    def _as_file(self, index, manifest):
        if isinstance(manifest, pathlib.Path) or "\n" not in manifest:
            return manifest
        path = self.state_dir.with_name(f"{self.state_dir.name}-{index}.yaml")
        path.write_text(manifest)
        return path

    # --- its state ---

    @property
    def output(self):
        return self.output_file.read_text(errors="replace")

    def facts(self):
        """up.json, or None while it is not there."""
        try:
            return json.loads((self.state_dir / "up.json").read_text())
        except (OSError, ValueError):
            return None

    def wait_until_serving(self, seconds=60):
        def serving():
            code = self.process.poll()
            assert code is None, f"up ended with {code}:\n{self.output}"
            facts = self.facts()
            return facts and facts["pid"] == self.process.pid  # a killed one leaves its own behind
        wait_for("up.json", serving, seconds)
        wait_for("a service in status", lambda: self.status()["services"], seconds)

    def status(self):
        done = run("status", "-o", "json", state_dir=self.state_dir)
        assert done.returncode == 0, f"status: exit {done.returncode}: {done.stderr}"
        self.remember_processes()
        return json.loads(done.stdout)

    def service(self, name="echo"):
        found = [one for one in self.status()["services"] if one["name"] == name]
        assert len(found) == 1, f"{name}: {len(found)} services of this name in status"
        return found[0]

    def host(self, name="echo"):
        return self._by_host(name).hostname

    def address(self, name="echo"):
        """(host, port) of the gateway, for connections with host(name) as their Host."""
        return ("127.0.0.1", self._by_host(name).port)

    def own_address(self, name="echo"):
        """(host, port) that belongs to this service alone."""
        for url in self._urls(name):
            if not url.hostname.startswith(name + "."):
                return (url.hostname, url.port)
        raise AssertionError(f"{name}: no port of its own in {self._urls(name)}")

    def _by_host(self, name):
        for url in self._urls(name):
            if url.hostname.startswith(name + "."):
                return url
        raise AssertionError(f"{name}: no URL by host in {self._urls(name)}")

    def _urls(self, name):
        return [urllib.parse.urlsplit(url) for url in self.service(name)["urls"]]

    def ask(self, path="/", name="echo", timeout=60, **request):
        return ask_now(self.address(name), self.host(name), path, timeout, **request)

    def wait_state(self, state, name="echo", seconds=60):
        return wait_for(f"{name} to be {state}",
                        lambda: (found := self.service(name))["state"] == state and found, seconds,
                        every=0.1)

    def wait_asleep(self, name="echo", seconds=90):
        """Until the service is asleep and no process of a replica of it runs."""
        found = wait_for(f"{name} to fall asleep",
                         lambda: (now := self.service(name))["state"] == "asleep"
                         and now["parked"] == 0 and not now["replicas"] and now,
                         seconds, every=0.1)
        return found

    def wait_wakes(self, count, name="echo"):
        """Until it has woken so often, and no more; status has null of a late autoscaler."""
        found = wait_for(f"{count} wakes of {name}",
                         lambda: (now := self.service(name))["wakes"] is not None
                         and now["wakes"] >= count and now)
        assert found["wakes"] == count
        return found

    # --- the Kubernetes API ---

    def api(self, path, method="GET", body=None, content_type="application/json", timeout=30):
        request = urllib.request.Request(
            self.api_url() + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def api_url(self):
        config = yaml.safe_load((self.state_dir / "kubeconfig").read_text())
        return config["clusters"][0]["cluster"]["server"]

    def replicas_wanted(self, name="echo"):
        path = f"/apis/apps/v1/namespaces/default/deployments/{name}-00001-deployment"
        return self.api(path)["spec"]["replicas"]

    # --- its processes ---

    def remember_processes(self):
        self.seen.update(processes.descendants(self.process.pid))

    def pid_of(self, program):
        """The process below this up that runs the program of this name."""
        found = [who[0] for who in processes.descendants(self.process.pid)
                 if processes.program(who[0]) == program]
        assert len(found) == 1, f"{program}: pids {found}"
        return found[0]

    def kill(self, pid, how=signal.SIGKILL):
        self.remember_processes()
        os.kill(pid, how)

    def admin(self, program):
        """(host, port) of the admin pages of "activator" or "autoscaler"."""
        host, port = self.facts()[program].rsplit(":", 1)
        return (host, int(port))

    def address_prefix(self):
        """The first three numbers of the /24 this up lives in, with the last dot."""
        return self.admin("activator")[0].rpartition(".")[0] + "."

    def down(self, seconds=60):
        """Ends it politely; the exit code. Kills it, and says so, when it does not end."""
        if self.process.poll() is None:
            self.remember_processes()
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"up did not end within {seconds} s:\n{self.output}") from None

    def assert_nothing_left(self, seconds=30):
        def gone():
            return not [who for who in self.seen if processes.is_running(who)]
        try:
            wait_for("the end of every child", gone, seconds)
        except AssertionError:
            left = [(who[0], processes.program(who[0])) for who in self.seen
                    if processes.is_running(who)]
            raise AssertionError(f"still running after the end of up: {left}") from None

    def story(self):
        """Everything a reader of a failed test wants."""
        parts = ["---- up printed", self.output]
        if self.process.poll() is None:
            parts += ["---- status", run("status", "-o", "json", state_dir=self.state_dir).stdout]
        for log in sorted(self.state_dir.rglob("*.log*")):
            parts += [f"---- {log.relative_to(self.state_dir)}",
                      "\n".join(log.read_text(errors="replace").splitlines()[-40:])]
        return "\n".join(parts)


def iris_manifest(window="6s"):
    """The example's manifest, to sleep sooner; its files stay where they are."""
    document = yaml.safe_load((ROOT / "examples/iris/service.yaml").read_text())
    template = document["spec"]["template"]
    template["metadata"]["annotations"]["autoscaling.knative.dev/window"] = window
    template["spec"]["containers"][0]["workingDir"] = str(ROOT / "examples/iris")
    return yaml.safe_dump(document)
