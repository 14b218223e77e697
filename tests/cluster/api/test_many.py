"""1,000 managed Deployments and 5,000 endpoints, as objects only: what they cost the autoscaler."""
import concurrent.futures
import os
import time

from harness import wait_for
from kubernetes import client
from world import AUTOSCALER, deployment

DEPLOYMENTS, ENDPOINTS_EACH = 1000, 5
SLACK = 1 if os.environ.get("PILOTLIGHT_STRICT") else 5  # `./dev soak cluster` holds it to the figures


def slice_of(index):
    name = f"d{index}-private"
    return {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8012}],
            "endpoints": [{"addresses": [f"10.89.{128 + index // 50}.{index % 50 * 5 + each}"],
                           "conditions": {"ready": False}}
                          for each in range(ENDPOINTS_EACH)]}


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    pages = int(open(f"/proc/{pid}/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_thousand_deployments(world, proxy):
    discovery = client.DiscoveryV1Api(world.api)
    world.kubelet.stop()  # there are no pods, and it would only ask

    def make(index):
        world.apps.create_namespaced_deployment(world.space, deployment(f"d{index}"))
        discovery.create_namespaced_endpoint_slice(world.space, slice_of(index))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(DEPLOYMENTS)))

    def known():
        revisions = world.page(AUTOSCALER)["revisions"]
        return len([one for one in revisions if one["namespace"] == world.space])
    # As deploy/ has it: the lease is renewed, too.
    arguments = "--kubeconfig", world.config_file, "--lease", f"{world.space}/pilotlight-autoscaler"
    world.start_autoscaler(*arguments)
    wait_for("all of them", lambda: known() == DEPLOYMENTS, every=0.2)
    world.autoscaler.stop()

    begun = time.monotonic()
    world.start_autoscaler(*arguments)
    wait_for("all of them again", lambda: known() == DEPLOYMENTS, every=0.1)
    ready = time.monotonic() - begun
    pid = world.autoscaler.process.pid
    quiet, cpu, seconds = len(proxy.requests), cpu_seconds(pid), 10
    time.sleep(seconds)
    used = (cpu_seconds(pid) - cpu) / seconds
    asked, memory = len(proxy.requests) - quiet, resident_mib(pid)
    print(f"{DEPLOYMENTS} Deployments, {DEPLOYMENTS * ENDPOINTS_EACH} endpoints: ready in {ready:.1f} s, "
          f"{memory:.0f} MiB, {used:.3f} core, {asked} requests in {seconds} s")
    assert asked <= seconds  # 1 a second
    assert memory <= 150
    assert ready <= 5 * SLACK
    assert used <= 0.2 * (1 if SLACK == 1 else 2)
