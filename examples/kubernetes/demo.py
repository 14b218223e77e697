#!/usr/bin/env python3
"""Installs pilotlight on a cluster, and shows a Deployment wake, grow and fall asleep.

Runs inside the cluster's network, with kubectl on the PATH and KUBECONFIG set: `./dev cluster demo`
sees to that. Ends with 0 only if every step was seen to happen.
"""
import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANIFEST = pathlib.Path(__file__).with_name("echo.yaml")
SYSTEM = "pilotlight-system"
SPACE = "pilotlight-demo"
PROGRAMS = ("controller", "autoscaler", "activator")
# Of the load; each request takes half a second, four at once a replica. It lasts until it has been
# seen to make the app grow.
CLIENTS, SECONDS, SECONDS_MOST = 10, 12, 90
# No proxy of the environment is asked the way to a ClusterIP.
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Failed(Exception):
    """A step that did not happen."""


def say(text):
    print(text, flush=True)


def step(text):
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    say(f"\n{bold}== {text}{plain}")


def run(*command, text=None, seconds=120):
    done = subprocess.run([str(part) for part in command], input=text, text=True,
                          capture_output=True, timeout=seconds)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def kubectl(*arguments, **options):
    return run("kubectl", *arguments, **options)


def read(kind, name=None, space=SPACE):
    """An object, or a list of them."""
    return json.loads(kubectl("-n", space, "get", kind, *([name] if name else []), "-o", "json"))


def wait_for(what, probe, seconds=60, every=0.1):
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(every)
    return found


def replicas():
    """Wanted and ready, of the Deployment."""
    found = read("deployment", "echo")
    return found["spec"]["replicas"], found["status"].get("readyReplicas", 0)


def ask(address, path="/", seconds=60):
    """One request to the Service; refused connections, which nobody has seen, are tried again for a
    moment: a node learns of a Service's new way a moment after the API does."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with OPEN(f"http://{address}{path}", timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError as error:
            refused = isinstance(error.reason, ConnectionRefusedError)
            if not refused or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def load_images(folder, containerd):
    for image in sorted(folder.glob("*.tar")):
        run("ctr", "-a", containerd, "-n", "k8s.io", "images", "import", image)
        say(f"  image {image.stem}")


def install():
    kubectl("apply", "-k", ROOT / "deploy/overlays/single")
    for program in PROGRAMS:
        kubectl("-n", SYSTEM, "rollout", "status", f"deployment/pilotlight-{program}",
                "--timeout=120s", seconds=150)
        say(f"  pilotlight-{program} is ready")
    wait_for("webhooks that answer", webhooks_answer, seconds=120)


def webhooks_answer():
    """A node learns of their Service, and the API server of their certificate, a moment after the
    controller is ready."""
    try:
        return kubectl("-n", "default", "apply", "--dry-run=server", "-f", MANIFEST)
    except Failed:
        return None


def deploy():
    """@return the Service's ClusterIP, once it leads to the activators."""
    kubectl("create", "namespace", SPACE)
    kubectl("-n", SPACE, "apply", "-f", MANIFEST)
    def taken():
        service = read("service", "echo")
        managed = service["metadata"].get("labels", {}).get("pilotlight.dev/managed") == "true"
        return managed and "selector" not in service["spec"] and service
    service = wait_for("a Service that leads to the activators", taken)
    address = service["spec"]["clusterIP"]
    port = service["metadata"]["annotations"]["pilotlight.dev/activator-port"]
    say(f"  Service echo at {address}:80 leads to the activators, port {port}")
    wanted, _ = replicas()
    if wanted != 0:
        raise Failed(f"replicas: got {wanted}, expected 0: it should sleep")
    say("  Deployment echo: 0 replicas")
    return address


def wake(address):
    begun = time.monotonic()
    status, body = ask(address, "/hello")
    took = time.monotonic() - begun
    if status != 200:
        raise Failed(f"the first request: got {status}: {body}")
    say(f"  200 after {took * 1000:.0f} ms:")
    for line in body.strip().splitlines()[:3]:
        say(f"    {line}")


def grow(address):
    """Load from several clients: more replicas come. @return the largest number that was ready."""
    stop, failures, answered = threading.Event(), [], [0]
    def client():
        while not stop.is_set():
            try:
                status, body = ask(address, "/?sleep=500")
            except OSError as error:
                status, body = 0, repr(error)
            if status == 200:
                answered[0] += 1
            else:
                failures.append(f"{status} {body}")
    most, seen, begun = 0, None, time.monotonic()
    def lasts():
        passed = time.monotonic() - begun
        return passed < SECONDS or (most < 2 and not failures and passed < SECONDS_MOST)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(CLIENTS):
            pool.submit(client)
        try:
            while lasts():
                now = replicas()
                if now != seen:
                    say(f"  {time.monotonic() - begun:5.1f} s: {now[0]} wanted, {now[1]} ready")
                most, seen = max(most, now[1]), now
                time.sleep(0.2)
        finally:
            stop.set()
    say(f"  {answered[0]} answers, {len(failures)} failures")
    if failures:
        raise Failed(f"{len(failures)} requests failed, the first: {failures[0]}")
    if most < 2:
        raise Failed(f"replicas under load: got at most {most}, expected 2 or more")


def sleep():
    begun = time.monotonic()
    wait_for("0 replicas", lambda: replicas()[0] == 0, seconds=120, every=0.2)
    wait_for("no pod", lambda: not read("pods")["items"], seconds=60, every=0.2)
    say(f"  0 replicas and no pod, {time.monotonic() - begun:.0f} s after the last request")


def tell(pilotlight, kubeconfig):
    for command in (["status"], ["explain", "echo"]):
        say(f"$ pilotlight {' '.join(command)} --kubeconfig ...")
        say(run(pilotlight, *command, "--kubeconfig", kubeconfig).rstrip())


def end_pods(space):
    kubectl("-n", space, "delete", "deployment", "--all", "--timeout=60s")
    wait_for(f"no pod in {space}", lambda: not read("pods", space=space)["items"], seconds=120,
             every=0.5)


def remove():
    """What does not go is told, and no more: every step has been seen, or its failure told.

    Pods go before their namespace: Kubernetes looks again at a namespace with a pod in it only
    after half of the pod's grace period, which is half an hour for an activator."""
    for take_away, *what in (
            (end_pods, SPACE),
            (kubectl, "delete", "namespace", SPACE, "--ignore-not-found", "--timeout=60s"),
            (end_pods, SYSTEM),
            (kubectl, "delete", "-k", ROOT / "deploy/overlays/single", "--ignore-not-found",
             "--timeout=60s")):
        try:
            take_away(*what)
        except (Failed, OSError, subprocess.TimeoutExpired) as error:
            print(f"demo: warning: {error}", file=sys.stderr)


def show_trouble(app_space=SPACE):
    """All that helps to find out why a step did not happen."""
    for space in (SYSTEM, app_space):
        for what in (["get", "pods,deployments,services,endpointslices", "-o", "wide"],
                     ["get", "events", "--sort-by=.lastTimestamp"]):
            done = subprocess.run(["kubectl", "-n", space, *what], capture_output=True, text=True)
            print(f"---- kubectl -n {space} {' '.join(what)}\n{done.stdout}{done.stderr}",
                  file=sys.stderr)
    for selector, space in [*((f"app.kubernetes.io/name=pilotlight-{program}", SYSTEM)
                              for program in PROGRAMS), ("app=echo", app_space)]:
        done = subprocess.run(["kubectl", "-n", space, "logs", "-l", selector, "--tail=40",
                               "--all-containers", "--prefix"], capture_output=True, text=True)
        print(f"---- logs of {selector}\n{done.stdout}{done.stderr}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--images", type=pathlib.Path, required=True, help="folder of the images")
    parser.add_argument("--containerd", required=True, help="socket of the node's containerd")
    parser.add_argument("--kubeconfig", required=True, help="for `pilotlight` itself")
    parser.add_argument("--keep", action="store_true", help="leave it installed at the end")
    given = parser.parse_args()
    try:
        step("install: kubectl apply -k deploy/overlays/single")
        load_images(given.images, given.containerd)
        install()
        step(f"a Deployment at 0 replicas: kubectl apply -f {MANIFEST.relative_to(ROOT)}")
        address = deploy()
        step(f"the first request: GET http://{address}/hello, from inside the cluster")
        wake(address)
        step(f"load: {CLIENTS} clients, half a second a request, {SECONDS} s or more")
        grow(address)
        step("no load: back to zero")
        sleep()
        step("why it did what it did")
        tell(given.bin / "pilotlight", given.kubeconfig)
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        print(f"demo: {error}", file=sys.stderr)
        show_trouble()
        return 1
    finally:
        if not given.keep:
            remove()
    step("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
