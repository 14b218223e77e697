"""Where pilotlight-proxy runs alone: what Knative's controller tells it, and addresses for it."""
import json
import os
import random
import socket

GIVEN = set()


def free_port(address="127.0.0.1"):
    """Below the ephemeral ones, so that no outgoing connection takes it meanwhile; never the same
    one twice."""
    while True:
        port = random.randrange(10000, 20000)
        if port in GIVEN:
            continue
        GIVEN.add(port)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
                return port
            except OSError:
                continue


def own_address(index=0):
    """A loopback address that no other test of this machine uses: its low bytes are our pid.
    `index`: up to ten of them."""
    pid = os.getpid()
    second = 90 + 10 * (index % 10) + (pid >> 16) % 10
    return f"127.{second}.{pid >> 8 & 255}.{max(pid & 255, 2)}"


def environment(user_port, address, **changes):
    """What Knative's controller always sets. A change to None takes the name out."""
    names = {
        "CONTAINER_CONCURRENCY": "0", "QUEUE_SERVING_PORT": "8012",
        "QUEUE_SERVING_TLS_PORT": "8112", "USER_PORT": str(user_port),
        "REVISION_TIMEOUT_SECONDS": "30", "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "", "SERVING_NAMESPACE": "default",
        "SERVING_CONFIGURATION": "iris", "SERVING_REVISION": "iris-00001",
        "SERVING_POD": "iris-00001-x", "SERVING_POD_IP": address,
        "PILOTLIGHT_LISTEN_ADDRESS": address,
        "SERVING_READINESS_PROBE": json.dumps(
            {"tcpSocket": {"port": user_port, "host": "127.0.0.1"}, "successThreshold": 1}),
    }
    names.update(changes)
    return {name: value for name, value in names.items() if value is not None}
