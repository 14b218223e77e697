"""A real model server from zero to the right answers, back to zero, and again."""
import concurrent.futures
import json
import subprocess

import processes
from harness import ROOT, iris_manifest
from http1 import ask_now

IRIS = ROOT / "examples" / "iris"


def scikit_learns_own_answers():
    done = subprocess.run([IRIS / ".venv/bin/python", IRIS / "train.py", "--predict"],
                          capture_output=True, text=True, timeout=120, check=True)
    known = json.loads(done.stdout)
    assert len(known["rows"]) == len(known["classes"]) == 150
    return known["rows"], known["classes"]


def ask_for_row(ask, row):
    body = json.dumps({"inputs": [{"name": "flower", "shape": [1, 4], "datatype": "FP64",
                                   "data": row}]}).encode()
    response = ask("/v2/models/iris/infer", method="POST", body=body,
                         headers={"Content-Type": "application/json"})
    assert response.status == 200, response
    return json.loads(response.body)["outputs"][0]["data"][0]


def test_iris_sleeps_wakes_answers_and_sleeps_again(start):
    rows, classes = scikit_learns_own_answers()
    up = start(iris_manifest(window="6s"))
    prefix = up.address_prefix()
    asleep = up.wait_asleep("iris")
    assert (asleep["desired"], asleep["ready"]) == (0, 0)
    up.wait_wakes(0, "iris")

    for wakes in (1, 2):
        ask = asks_of(up)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda row: ask_for_row(ask, row), rows))
        assert answers == classes

        awake = up.service("iris")
        pids = [pid for replica in awake["replicas"]
                for pid in (replica["app_pid"], replica["sidecar_pid"]) if pid]
        running = [processes.identity(pid) for pid in pids]
        assert len(running) >= 2 and all(running)
        ready = next(one for one in awake["replicas"] if one["state"] == "ready")
        assert processes.listening(ready["address"])
        app_ports = ports_of(ready["app_pid"])
        assert app_ports, "the app listens on nothing"

        up.wait_asleep("iris")
        assert not [who for who in running if processes.is_running(who)]
        assert not processes.listening(ready["address"])
        assert not [one for one in processes.listening("") if one[1] in app_ports]
        up.wait_wakes(wakes, "iris")
    assert processes.listening(prefix)  # activator and autoscaler; the next test sees them go


def asks_of(up):
    """One lookup of the address for all the requests: status is a program start each."""
    address, host = up.address("iris"), up.host("iris")
    return lambda path, **request: ask_now(address, host, path, 120, **request)


def ports_of(pid):
    """TCP ports that this process listens on, IPv4."""
    done = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True)
    return {int(line.split()[3].rpartition(":")[2]) for line in done.stdout.splitlines()
            if f"pid={pid}," in line}
