"""1,000 managed Deployments and 5,000 endpoints, as objects only: what they cost the autoscaler."""
import concurrent.futures
import math
import os
import time

from harness import wait_for
from kubernetes import client
from world import AUTOSCALER, AUTOSCALER_WATCHES, Kept, deployment

DEPLOYMENTS, ENDPOINTS_EACH = 1000, 5
AT_REST = 10  # seconds
SLACK = 1 if os.environ.get("PILOTLIGHT_STRICT") else 5  # `./dev soak cluster` holds it to the figures


def slice_of(space, index):
    """As the endpoint controller writes it of pods that are ready."""
    name = f"d{index}-private"
    return {"metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8012, "protocol": "TCP"}],
            "endpoints": [{"addresses": [f"10.89.{128 + index // 50}.{index % 50 * 5 + each}"],
                           "conditions": {"ready": True, "serving": True, "terminating": False},
                           "nodeName": "node1",
                           "targetRef": {"kind": "Pod", "namespace": space,
                                         "name": f"d{index}-7c9d8b6f5-{each:05}"}}
                          for each in range(ENDPOINTS_EACH)]}


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    pages = int(open(f"/proc/{pid}/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def renewals_and_others(proxy, since, until=math.inf):
    """How often the API server was asked to renew the lease, and the other requests."""
    with proxy.lock:
        asked = [one for one in proxy.requests if since <= one.at < until]
    others = [one for one in asked if "/leases/" not in one.path]
    return len(asked) - len(others), others


def costs_at_rest(program, proxy):
    """Cores, MiB, renewals of the lease and other requests, of a process that has nothing to do.
    None when it ended meanwhile."""
    # One more is of its lease.
    wait_for("its watches", lambda: proxy.watched(AUTOSCALER_WATCHES + 1, program.started))
    lost, pid = program.leases_lost(), program.process.pid
    try:
        begun, cpu = time.monotonic(), cpu_seconds(pid)
        time.sleep(AT_REST)
        used = (cpu_seconds(pid) - cpu) / AT_REST
        found = used, resident_mib(pid), *renewals_and_others(proxy, begun, begun + AT_REST)
    except OSError:
        return None
    return found if program.leases_lost() == lost else None


def test_a_thousand_deployments(world, proxy):
    discovery = client.DiscoveryV1Api(world.api)
    world.kubelet.stop()  # there are no pods, and it would only ask

    def make(index):
        world.apps.create_namespaced_deployment(world.space, deployment(f"d{index}"))
        discovery.create_namespaced_endpoint_slice(world.space, slice_of(world.space, index))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(DEPLOYMENTS)))

    def known():
        try:
            revisions = world.page(AUTOSCALER)["revisions"]
        except (OSError, EOFError):  # it is being started again
            return 0
        return len([one for one in revisions if one["namespace"] == world.space
                    and one["unheard"] == ENDPOINTS_EACH])  # nobody speaks for them on the wire
    # As deploy/ has it: the lease is renewed, too.
    arguments = "--kubeconfig", world.config_file, "--lease", f"{world.space}/pilotlight-autoscaler"
    world.start_autoscaler(*arguments, kind=Kept)
    wait_for("all of them", lambda: known() == DEPLOYMENTS, every=0.2)
    world.autoscaler.stop()

    begun = time.monotonic()
    world.start_autoscaler(*arguments, kind=Kept)
    wait_for("all of them again", lambda: known() == DEPLOYMENTS, every=0.1)
    ready = time.monotonic() - begun
    found = costs_at_rest(world.autoscaler, proxy) or costs_at_rest(world.autoscaler, proxy)
    assert found, world.autoscaler.text()[-2000:]
    used, memory, renewals, others = found
    print(f"{DEPLOYMENTS} Deployments, {DEPLOYMENTS * ENDPOINTS_EACH} endpoints: ready in "
          f"{ready:.1f} s, {memory:.0f} MiB, {used:.3f} core, {renewals} renewals in {AT_REST} s")
    assert not others
    assert 0 < renewals <= AT_REST  # 1 a second
    assert memory <= 150
    assert ready <= 5 * SLACK
    assert used <= 0.2 * (1 if SLACK == 1 else 2)
