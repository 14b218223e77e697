"""The sidecar's TLS port: real certificates, real clients (openssl, curl, Python's ssl)."""
import hashlib
import json
import os
import socket
import subprocess
import time

import pytest

from harness import wait_for
from sidecar import Sidecar
from tls_world import App, Authority, Client, Secret, curl, handshake, listens

RELOADED = "Certificate and/or key have changed on disk and were reloaded."


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def app():
    running = App()
    yield running
    running.close()


@pytest.fixture
def secret(tmp_path):
    return Secret(tmp_path / "certs")


@pytest.fixture
def start(app, authority, secret):
    """Starts sidecars with a certificate mounted."""
    started = []

    def start_one(wait=True, certificate=True, **settings):
        if certificate:
            secret.update(*authority.issue("first"))
        # No probe: the tests count the connections that requests make.
        one = Sidecar(app.port, wait=wait, **{
            "REVISION_TIMEOUT_SECONDS": "60", "SERVING_READINESS_PROBE": None,
            "PILOTLIGHT_TLS_DIR": str(secret.folder), **settings})
        started.append(one)
        return one
    yield start_one
    for one in started:
        one.stop()


# --- what is negotiated ---


def test_only_tls_1_3_by_default_and_the_plain_port_stays_open(start, authority, app):
    sidecar = start()
    facts = handshake(sidecar, authority)
    assert facts["Protocol version"] == "TLSv1.3"
    assert facts["Verification"] == "OK"
    assert handshake(sidecar, authority, "-tls1_2") is None
    assert Client(sidecar, authority).ask("/over-tls") == b"you asked for /over-tls"
    with socket.create_connection(sidecar.main, timeout=30) as plain:
        plain.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in plain.recv(65536)


def test_tls_1_2_as_configured(start, authority):
    both = start(QUEUE_PROXY_TLS_MIN_VERSION="1.2")
    assert handshake(both, authority, "-tls1_2")["Protocol version"] == "TLSv1.2"
    assert handshake(both, authority)["Protocol version"] == "TLSv1.3"
    assert handshake(both, authority, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0") is None
    old = start(QUEUE_PROXY_TLS_MIN_VERSION="1.2", QUEUE_PROXY_TLS_MAX_VERSION="1.2")
    assert handshake(old, authority)["Protocol version"] == "TLSv1.2"
    assert handshake(old, authority, "-tls1_3") is None


def test_cipher_suites_take_effect(start, authority):
    sidecar = start(QUEUE_PROXY_TLS_MIN_VERSION="1.2", QUEUE_PROXY_TLS_CIPHER_SUITES=(
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_CHACHA20_POLY1305_SHA256"))
    facts = handshake(sidecar, authority, "-tls1_2")
    assert facts["Ciphersuite"] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert handshake(sidecar, authority, "-tls1_2", "-cipher",
                     "ECDHE-ECDSA-AES128-GCM-SHA256") is None
    assert handshake(sidecar, authority)["Ciphersuite"] == "TLS_CHACHA20_POLY1305_SHA256"
    assert handshake(sidecar, authority, "-ciphersuites", "TLS_AES_128_GCM_SHA256") is None


def test_curve_preferences_take_effect(start, authority):
    sidecar = start(QUEUE_PROXY_TLS_CURVE_PREFERENCES="CurveP384,P-521")
    assert "secp384r1" in handshake(sidecar, authority)["Server Temp Key"]
    assert "secp521r1" in handshake(sidecar, authority, "-groups", "P-521")["Server Temp Key"]
    assert handshake(sidecar, authority, "-groups", "X25519") is None
    other = start(QUEUE_PROXY_TLS_CURVE_PREFERENCES="X25519MLKEM768,X25519")
    assert "X25519" in handshake(other, authority)["Server Temp Key"]
    # This OpenSSL has none: said once, not fatal.
    other.end()
    assert other.output.count("X25519MLKEM768") == 1


def test_http_1_1_is_what_alpn_gives(start, authority):
    sidecar = start()
    done = curl(sidecar, authority, "/alpn", "--http2", "--write-out", " %{http_version}")
    assert (done.returncode, done.stdout) == (0, b"you asked for /alpn 1.1"), done.stderr
    assert handshake(sidecar, authority, "-alpn", "h2") is None


@pytest.mark.parametrize("name, value", [
    ("QUEUE_PROXY_TLS_CIPHER_SUITES", "TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_RC4_128_SHA"),
    ("QUEUE_PROXY_TLS_CURVE_PREFERENCES", "X25519,CurveP257"),
    ("QUEUE_PROXY_TLS_MIN_VERSION", "1.1"),
])
def test_unknown_names_are_start_up_problems(start, name, value):
    sidecar = start(wait=False, **{name: value})
    assert sidecar.process.wait(30) == 78
    assert name in sidecar.output and value.split(",")[-1] in sidecar.output


# --- whether it is there at all ---


def test_without_a_certificate_there_is_no_tls_port_and_no_memory_for_it(start, authority):
    without = start(certificate=False)
    assert not listens(*without.tls)
    assert without.resident_kib() <= 6 << 10
    with_tls = start()
    assert listens(*with_tls.tls)
    client = Client(with_tls, authority)
    assert client.ask("/") == b"you asked for /"
    assert with_tls.resident_kib() <= 10 << 10


def test_a_broken_certificate_at_the_start_ends_it_by_name(start, secret, authority):
    certificate, _ = authority.issue("mine")
    _, key = authority.issue("not-mine")
    secret.update(certificate, key)
    sidecar = start(wait=False, certificate=False)
    assert sidecar.process.wait(30) == 1
    assert str(secret.folder) in sidecar.output and "key values mismatch" in sidecar.output


# --- a certificate that changes ---


def test_a_new_certificate_serves_new_handshakes_and_drops_no_connection(start, secret, authority):
    sidecar = start()
    old = Client(sidecar, authority)
    assert old.subject() == "first" and old.ask("/1") == b"you asked for /1"
    secret.update(*authority.issue("second"))
    wait_for("the new certificate", lambda: Client(sidecar, authority).subject() == "second", 10)
    wait_for("the log line", lambda: RELOADED in sidecar.output, 10)
    assert old.ask("/2") == b"you asked for /2"
    assert sidecar.output.count(RELOADED) == 1


def test_a_broken_pair_keeps_the_old_certificate_until_a_good_one_comes(start, secret, authority):
    sidecar = start()
    certificate, _ = authority.issue("second")
    _, stranger = authority.issue("stranger")
    secret.update(certificate, stranger)
    wait_for("the warning", lambda: "key values mismatch" in sidecar.output, 10)
    assert Client(sidecar, authority).subject() == "first"
    assert RELOADED not in sidecar.output
    secret.update(*authority.issue("third"))
    wait_for("the good certificate", lambda: Client(sidecar, authority).subject() == "third", 10)
    wait_for("the log line", lambda: RELOADED in sidecar.output)


# --- requests ---


def test_requests_share_connections_and_pipelined_ones_keep_their_order(start, authority, app):
    client = Client(start(), authority)
    client.send("/a", "/b", "/c")
    assert [client.answer() for _ in "abc"] == [b"you asked for /" + c for c in (b"a", b"b", b"c")]
    for index in range(50):
        assert client.ask(f"/{index}") == b"you asked for /%d" % index
    assert app.requests == 53
    assert app.connections == 1


def test_large_bodies_arrive_whole_both_ways(start, authority, tmp_path):
    body = os.urandom(24 << 20)
    sent = tmp_path / "body"
    sent.write_bytes(body)
    done = curl(start(), authority, "/echo", "--data-binary", f"@{sent}")
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(body).digest()


def test_an_answer_that_ends_with_the_connection_ends_with_a_close_notify(start, authority):
    sidecar = start()
    client = Client(sidecar, authority)
    client.send("/until-close")
    answer, notified = client.read_to_the_end()
    assert answer.endswith(b"x" * 100_000) and notified
    assert curl(sidecar, authority, "/until-close").returncode == 0


@pytest.mark.parametrize("path", ["/cut-length", "/cut-until-close"])
def test_a_cut_answer_ends_without_one(start, authority, path):
    sidecar = start()
    client = Client(sidecar, authority)
    client.send(path)
    _, notified = client.read_to_the_end()
    assert not notified
    # curl does not insist on a close_notify: only a reset tells it.
    assert curl(sidecar, authority, path).returncode != 0
    plain = subprocess.run(["curl", "-sS", f"http://{sidecar.address}:8012{path}"],
                           capture_output=True, timeout=60)
    assert plain.returncode != 0


def test_a_client_that_leaves_gives_its_permit_back(start, authority, app):
    sidecar = start(CONTAINER_CONCURRENCY="1")
    first = Client(sidecar, authority)
    first.send("/hold")
    wait_for("the app to hold a request", lambda: app.requests == 1)
    second = Client(sidecar, authority)
    second.send("/second")
    first.close()
    assert second.answer() == b"you asked for /second"
    wait_for("the app to lose the request", lambda: app.left == 1)


# --- clients that do not speak TLS, or not fast ---


def test_plain_http_on_the_tls_port_is_told_so(start):
    sidecar = start()
    with socket.create_connection(sidecar.tls, timeout=30) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert plain.recv(65536).startswith(b"HTTP/1.0 400 Bad Request\r\n")


def test_a_handshake_has_ten_seconds_and_holds_no_permit(start, authority):
    sidecar = start(CONTAINER_CONCURRENCY="1")
    slow = {}
    begun = time.monotonic()  # the sidecar's own clocks begin later
    openings = {"silent": b"", "half a hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"}
    for name, opening in openings.items():
        slow[name] = socket.create_connection(sidecar.tls, timeout=30)
        slow[name].sendall(opening)
    for index in range(20):
        assert Client(sidecar, authority).ask(f"/{index}") == b"you asked for /%d" % index
    for name, connection in slow.items():
        assert connection.recv(1) == b"", name
        assert 9.9 < time.monotonic() - begun < 25, name


def test_it_drains_with_connections_open(start, authority):
    sidecar = start()
    client = Client(sidecar, authority)
    assert client.ask("/") == b"you asked for /"
    silent = socket.create_connection(sidecar.tls, timeout=30)
    sidecar.process.terminate()
    assert sidecar.process.wait(60) == 0
    assert client.read_to_the_end() == (b"", True)
    assert silent.recv(1) == b""


# --- https readiness probes ---


def probe_status(sidecar):
    """What kubelet is told."""
    with socket.create_connection(sidecar.main, timeout=30) as probe:
        probe.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: kube-probe/1.30\r\n"
                      b"K-Network-Probe: queue\r\nConnection: close\r\n\r\n")
        return int(probe.recv(65536).split()[1])


@pytest.mark.parametrize("hosts, trusted, status", [
    ("IP:127.0.0.1", True, 200),
    ("IP:127.0.0.1", False, 503),
    ("IP:127.0.0.9,DNS:localhost", True, 503),
])
def test_an_https_probe_succeeds_only_when_the_certificate_is_good(start, authority, hosts, trusted,
                                                                   status):
    probed = App(authority.issue_files("probed", hosts))
    probe = {"httpGet": {"path": "/health", "port": probed.port, "host": "127.0.0.1",
                         "scheme": "HTTPS"}, "periodSeconds": 1, "timeoutSeconds": 5}
    roots = {"SSL_CERT_FILE": str(authority.certificate)} if trusted else {}
    sidecar = start(SERVING_READINESS_PROBE=json.dumps(probe), **roots)
    try:
        assert probe_status(sidecar) == status
        assert (probed.requests > 0) == (status == 200)
    finally:
        probed.close()
