"""The sidecar as a drop-in for Knative's queue-proxy: what only the running program can show.

docs/knative-compatibility.md names these tests row by row.
"""
import asyncio
import importlib.util
import json
import socket
import subprocess
import time

import pytest

from harness import TEST_FOLDER, wait_for
from http1 import Connection, ask_now
from metrics_page import documented, exposed, section
from queue_proxy import environment, free_port, own_address
from sidecar import App, Sidecar, run_proxy
from sidecar_fixtures import Held, app, in_background, start

PROMETHEUS = json.dumps({"requestMetrics": {"protocol": "prometheus"}})


# --- the environment ---

def test_all_problems_of_the_environment_are_named_at_once():
    done = run_proxy(env={"CONTAINER_CONCURRENCY": "", "USER_PORT": "web", "UNKNOWN": "ignored"})
    assert done.returncode == 78
    for name in ("QUEUE_SERVING_PORT", "QUEUE_SERVING_TLS_PORT", "REVISION_TIMEOUT_SECONDS",
                 "SERVING_LOGGING_CONFIG", "SERVING_LOGGING_LEVEL", "SERVING_NAMESPACE",
                 "SERVING_CONFIGURATION", "SERVING_REVISION", "SERVING_POD", "SERVING_POD_IP"):
        assert f"{name}: not set, and it is required" in done.stderr
    assert 'CONTAINER_CONCURRENCY: got ""' in done.stderr
    assert 'USER_PORT: got "web"' in done.stderr
    assert "UNKNOWN" not in done.stderr


@pytest.mark.parametrize("name, value, named", [
    ("SERVING_READINESS_PROBE", "{", "JSON"),
    ("SERVING_READINESS_PROBE", '{"exec":{"command":["true"]}}', "exec"),
    ("OBSERVABILITY_CONFIG", '{"requestMetrics":{"protocol":"statsd"}}', "statsd"),
    ("OBSERVABILITY_CONFIG", '{"enableRequestLog":true,"requestLogTemplate":"{{if .X}}"}', "{{if .X}}"),
    ("QUEUE_PROXY_TLS_MIN_VERSION", "1.1", "1.2 or 1.3"),
    ("METRICS_PROMETHEUS_PORT", "80", "[1024, 65535]"),
])
def test_a_bad_value_is_refused_by_name(name, value, named):
    done = run_proxy(env=environment(8080, "127.0.0.1", **{name: value}))
    assert done.returncode == 78
    assert done.stderr.startswith(f"pilotlight-proxy: {name}: ")
    assert named in done.stderr


def test_the_effective_configuration_is_shown_as_text_and_as_json():
    env = environment(8080, "127.0.0.1", CONTAINER_CONCURRENCY="7", SERVING_LOGGING_LEVEL="warn")
    text = run_proxy("--print-config", env=env)
    shown = json.loads(run_proxy("--print-config", "-o", "json", env=env).stdout)
    assert text.returncode == 0
    assert shown["CONTAINER_CONCURRENCY"] == "7"
    assert shown["PILOTLIGHT_LOG_LEVEL"] == "warn"
    assert shown["PILOTLIGHT_STATS_LISTEN"] == "127.0.0.1:9090"
    assert text.stdout == "".join(f"{name}={value}\n" for name, value in shown.items())
    documented = run_proxy("--help", env={}).stdout
    assert all(name in documented for name in shown)
    assert run_proxy("--print-config", env={}).returncode == 78


def test_what_is_accepted_but_not_done_is_said_once(start):
    sidecar = start(OBSERVABILITY_CONFIG=json.dumps({"tracing": {"protocol": "grpc"}}),
                    OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317")
    said = wait_for("the line", lambda: [
        line for line in sidecar.log if "accepted, not done" in line])
    assert len(said) == 1
    assert "tracing, OTEL_EXPORTER_OTLP_ENDPOINT" in said[0]


def test_the_log_is_json_when_knatives_configuration_says_so(start):
    sidecar = start(SERVING_LOGGING_CONFIG=json.dumps({"level": "info", "encoding": "json"}))
    listening = wait_for("the line", lambda: [line for line in sidecar.log if "listening" in line])
    for line in list(sidecar.log):
        said = json.loads(line)
        assert {"timestamp", "severity", "logger", "message"} <= said.keys(), line
        assert said["logger"] == "pilotlight-proxy"
    assert json.loads(listening[0])["serving"] == f"{sidecar.address}:8012"


def test_a_port_that_is_taken_is_an_error_of_the_start(app):
    address = own_address()
    with socket.create_server((address, 8022)):
        done = run_proxy(env=environment(app.port, address))
    assert done.returncode == 1
    assert f"cannot listen on {address}:8022" in done.stderr


# --- probes ---

def test_the_probe_table(start):
    sidecar = start()
    for agent in ("kube-probe/1.30", "Knative-Activator-Probe", "Knative-Autoscaling-Probe"):
        ok = sidecar.probe(agent=agent)
        assert (ok.status, ok.body) == (200, b"queue")
        bare = sidecar.ask(headers={"User-Agent": agent})
        assert (bare.status, bare.body) == (400, b"unexpected probe header value: \n")
        wrong = sidecar.probe(agent=agent, target="activator")
        assert (wrong.status, wrong.body) == (400, b"unexpected probe header value: activator\n")
    ingress = sidecar.ask(headers={"K-Network-Probe": "probe", "K-Network-Hash": "h1"})
    assert (ingress.status, ingress.body) == (200, b"")
    assert ingress.headers["k-network-hash"] == "h1"
    hashless = sidecar.ask(headers={"K-Network-Probe": "probe"})
    assert hashless.status == 400
    assert hashless.body == b'a probe request must contain a non-empty "K-Network-Hash" header\n'
    user = sidecar.ask(headers={"K-Network-Probe": "queue", "User-Agent": "curl/8"})
    assert json.loads(user.body)["path"] == "/", "an ordinary agent is the app's business"


def test_a_late_app_is_seen_at_once_and_a_kubelet_waits_for_it(start):
    port = free_port()
    sidecar = start(ready=False, user_port=port)
    thread, result = in_background(sidecar.probe)
    time.sleep(0.5)
    assert not result, "in aggressive mode the probe waits"
    late = App(port)
    try:
        thread.join(10)
        assert [answer.status for answer in result] == [200]
    finally:
        late.stop()


def test_a_periodic_probe_answers_after_one_try(start):
    port = free_port()
    probe = {"httpGet": {"port": port, "path": "/stats"}, "periodSeconds": 5, "timeoutSeconds": 1}
    sidecar = start(ready=False, user_port=port, SERVING_READINESS_PROBE=json.dumps(probe))
    begun = time.monotonic()
    assert sidecar.probe().status == 503
    assert time.monotonic() - begun < 5, "an aggressive one would wait for 10"


def test_every_probe_of_the_array_must_pass(start, app):
    second = free_port()
    probes = [{"tcpSocket": {"port": port}, "periodSeconds": 1} for port in (app.port, second)]
    sidecar = start(ready=False, ENABLE_MULTI_CONTAINER_PROBES="true",
                    SERVING_READINESS_PROBE=json.dumps(probes))
    assert sidecar.probe().status == 503
    other = App(second)
    try:
        sidecar.wait_ready()
    finally:
        other.stop()


# --- requests ---

def test_eleven_times_the_limit_is_admitted_and_the_next_is_refused(start):
    sidecar = start(OBSERVABILITY_CONFIG=PROMETHEUS, CONTAINER_CONCURRENCY="1")
    held = Held(sidecar)
    waiting = [in_background(lambda: sidecar.ask("/?sleep=50")) for _ in range(10)]
    wait_for("one that runs and ten that wait", lambda: running_and_waiting(sidecar) == (1, 10))
    refused = sidecar.ask()
    assert (refused.status, refused.body) == (503, b"pending request queue full\n")
    assert running_and_waiting(sidecar) == (1, 10)
    assert held.finish() == 200
    for thread, _ in waiting:
        thread.join(30)
    assert [answer.status for _, answers in waiting for answer in answers] == [200] * 10
    assert json.loads(ask_now(sidecar.main, "iris", "/stats").body)["max_in_flight"] == 1


def running_and_waiting(sidecar):
    seen = sidecar.metrics()
    return seen["pilotlight_proxy_in_flight"], seen["pilotlight_proxy_queued"]


def test_a_request_beyond_its_time_is_504_and_no_app_is_502(start, app):
    sidecar = start(REVISION_TIMEOUT_SECONDS="1")
    late = sidecar.ask("/?sleep=5000")
    assert (late.status, late.body) == (504, b"request timeout")
    app.stop()
    gone = sidecar.ask()
    assert gone.status == 502
    assert gone.body.endswith(b"\n")


def test_headers_are_edited_as_knatives(start):
    sidecar = start()
    answer = sidecar.ask("/?headers=1", headers={
        "K-Original-Host": "iris.example.com", "K-Proxy-Request": "activator",
        "Knative-Serving-Revision": "iris-00001", "Knative-Serving-Namespace": "default",
        "Knative-Serving-Tag": "blue", "Knative-Serving-Default-Route": "false",
        "K-Passthrough-Lb": "true", "Accept-Encoding": "br", "X-Forwarded-For": "10.0.0.1, ::1",
        "X-Forwarded-Proto": "https", "TE": "trailers, deflate", "traceparent": "00-x",
        "Connection": "X-Hop, TE", "X-Hop": "1", "Pilotlight-Hop": "1"})
    seen = {name.lower(): value for name, value in json.loads(answer.body)["headers"].items()}
    assert seen["host"] == "iris.example.com"
    assert seen["k-proxy-request"] == "activator"
    assert seen["knative-serving-tag"] == "blue"
    assert seen["knative-serving-default-route"] == "false"
    assert seen["k-passthrough-lb"] == "true"
    assert seen["accept-encoding"] == "br"
    assert seen["x-forwarded-for"] == "10.0.0.1, ::1, 127.0.0.1"
    assert seen["forwarded"] == 'for=10.0.0.1;proto=https, for="[::1]"'
    assert seen["te"] == "trailers"
    assert seen["traceparent"] == "00-x"
    assert "user-agent" not in seen, "none is invented"
    for gone in ("k-original-host", "knative-serving-revision", "knative-serving-namespace",
                 "x-hop", "connection", "pilotlight-hop"):
        assert gone not in seen


# --- stats ---

@pytest.fixture(scope="module")
def stat_type(tmp_path_factory):
    """The Stat message as protoc's Python knows it."""
    folder = tmp_path_factory.mktemp("proto")
    subprocess.run(["protoc", f"--python_out={folder}", f"-I{TEST_FOLDER}", "stat.proto"],
                   check=True)
    spec = importlib.util.spec_from_file_location("stat_pb2", folder / "stat_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Stat


def scrape(sidecar):
    answer = ask_now(sidecar.stats, "iris", "/metrics", headers={"Accept": "text/plain"})
    assert answer.headers["content-type"] == "application/protobuf", "whatever Accept says"
    return answer.body


def test_a_protobuf_client_reads_the_stat(start, stat_type):
    sidecar = start(SERVING_POD="p" * 253)
    first = stat_type.FromString(scrape(sidecar))
    assert first.pod_name == "p" * 253
    both = [Held(sidecar), Held(sidecar, headers=b"K-Proxy-Request: activator\r\n")]

    def full_second():
        body = scrape(sidecar)
        assert len(body) <= 336
        stat = stat_type.FromString(body)
        return stat if stat.average_concurrent_requests > 1.95 else None

    stat = wait_for("a second with both requests", full_second, every=0.1)
    assert [held.finish() for held in both] == [200, 200]
    assert stat.average_concurrent_requests == pytest.approx(2, abs=0.05)
    assert stat.average_proxied_concurrent_requests == pytest.approx(1, abs=0.05)
    assert stat.process_uptime > 1
    assert stat.timestamp == 0
    idle = wait_for("a second without", lambda: (
        stat := stat_type.FromString(scrape(sidecar))).average_concurrent_requests == 0 and stat)
    assert idle.request_count == 0, "probes and scrapes are no requests"


def test_requests_are_counted_per_second(start, stat_type):
    sidecar = start()

    def latest():
        """The number of the second that ended last, and its stat."""
        stat = stat_type.FromString(scrape(sidecar))
        return int(stat.process_uptime), stat

    async def burst():
        connection = await Connection(sidecar.main).open()
        for index in range(20):
            headers = {"K-Proxy-Request": "activator"} if index % 4 == 0 else {}
            await connection.ask("iris", "/", headers=headers)
        connection.close()

    def counts():
        """What a burst adds to the seconds, up to one that began behind it; None if one is missed."""
        before, _ = latest()
        asyncio.run(burst())
        seconds = dict([latest()])
        last = max(seconds) + 2

        def over():
            number, seconds[number] = latest()
            return number >= last

        wait_for("the seconds behind the burst", over, every=0.05)
        seconds.pop(before, None)
        if len(seconds) < max(seconds) - before:
            return None
        return (sum(stat.request_count for stat in seconds.values()),
                sum(stat.proxied_request_count for stat in seconds.values()))

    tries = (counts() for _ in range(10))
    assert next((found for found in tries if found), None) == (20, 5)


# --- metrics and the request log ---

def test_the_metrics_page_is_what_is_exposed(start):
    sidecar = start(OBSERVABILITY_CONFIG=PROMETHEUS, CONTAINER_CONCURRENCY="2")
    assert sidecar.ask().status == 200
    assert sidecar.ask("/?status=418").status == 418
    answer = ask_now((sidecar.address, 9091), "iris", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert exposed(answer.body.decode()) == documented(section("Sidecar"))


def test_metrics_tell_what_happened(start, app):
    sidecar = start(OBSERVABILITY_CONFIG=PROMETHEUS, CONTAINER_CONCURRENCY="1")
    begun = time.monotonic()
    held = Held(sidecar, "/?sleep=1500")
    slow = [in_background(lambda: sidecar.ask("/?sleep=1500"))[0] for _ in range(2)]
    busy = wait_for("one that runs and two that wait", lambda: (
        seen := sidecar.metrics())["pilotlight_proxy_queued"] == 2 and seen)
    assert busy["pilotlight_proxy_in_flight"] == 1
    assert busy["kn_serving_queue_depth"] == 3
    assert (busy["pilotlight_proxy_limit"], busy["pilotlight_proxy_queue_limit"]) == (1, 10)
    bounced = sidecar.ask(headers={"Pilotlight-Hop": "1"})
    assert bounced.status == 503
    assert held.finish() == 200
    for thread in slow:
        thread.join()
    one_by_one = time.monotonic() - begun
    assert sidecar.ask("/?status=418").status == 418
    app.stop()
    assert sidecar.ask().status == 502
    seen = sidecar.metrics()
    count = "kn_serving_invocation_duration_seconds_count"
    assert seen[count + '{http_response_status_code="200"}'] == 3
    assert seen[count + '{http_response_status_code="418"}'] == 1
    assert seen[count + '{http_response_status_code="502"}'] == 1
    bucket = "kn_serving_invocation_duration_seconds_bucket"
    assert seen[bucket + '{http_response_status_code="200",le="1"}'] == 0
    assert seen[bucket + '{http_response_status_code="200",le="+Inf"}'] == 3
    total = seen['kn_serving_invocation_duration_seconds_sum{http_response_status_code="200"}']
    assert 4.4 < total <= one_by_one, "without the wait"
    assert seen["pilotlight_proxy_queue_wait_seconds_count"] == 2
    assert seen['pilotlight_proxy_requests_total{outcome="answered"}'] == 4
    assert seen['pilotlight_proxy_requests_total{outcome="bounced"}'] == 1
    assert seen['pilotlight_proxy_bounces_total{reason="full"}'] == 1
    assert seen['pilotlight_proxy_requests_total{outcome="upstream_failed"}'] == 1
    assert seen['pilotlight_proxy_refusals_total{cause="upstream_failed"}'] == 1
    assert seen["pilotlight_proxy_probes_total"] >= 1
    assert seen["pilotlight_proxy_arrivals_total"] == 6


def test_metrics_are_off_unless_asked_for_and_can_be_moved(start):
    silent = start()
    with socket.socket() as probe:
        assert probe.connect_ex((silent.address, 9091)) != 0
    silent.stop()
    moved = start(OBSERVABILITY_CONFIG=PROMETHEUS, METRICS_PROMETHEUS_PORT="9191")
    assert "pilotlight_proxy_ready" in moved.metrics(port=9191)
    moved.stop()
    ours = start(PILOTLIGHT_METRICS_LISTEN="{address}:9292")
    assert ours.metrics(port=9292)["pilotlight_proxy_ready"] == 1


def test_the_request_log_is_knatives_json_and_leaves_probes_out(start):
    sidecar = start(OBSERVABILITY_CONFIG=json.dumps({"enableRequestLog": True}))
    sidecar.ask("/a?b=1&sleep=20", method="POST", body=b"abc", headers={
        "User-Agent": "curl/8", "Referer": "http://r/",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    wait_for("a line", lambda: sidecar.lines)
    assert len(sidecar.lines) == 1, "no probe is in it"
    line = json.loads(sidecar.lines[0])
    request = line["httpRequest"]
    assert request["requestMethod"] == "POST"
    assert request["requestUrl"] == "/a?b=1&sleep=20"
    assert request["requestSize"] == "3"
    assert request["status"] == 200
    assert int(request["responseSize"]) > 0
    assert request["userAgent"] == "curl/8"
    assert request["remoteIp"].startswith("127.")
    assert request["serverIp"] == sidecar.address
    assert request["referer"] == "http://r/"
    assert 0.02 <= float(request["latency"].removesuffix("s")) < 5
    assert request["protocol"] == "HTTP/1.1"
    assert line["traceId"] == "0af7651916cd43dd8448eb211c80319c"


def test_a_template_of_ones_own_and_probes_when_asked_for(start):
    sidecar = start(OBSERVABILITY_CONFIG=json.dumps({
        "enableRequestLog": True, "enableProbeRequestLog": True,
        "requestLogTemplate": '{{.Request.Method}} {{.Response.Code}} {{.Revision.Name}}'}))
    sidecar.ask("/?status=404")
    wait_for("both", lambda: "GET 404 iris-00001" in sidecar.lines)
    assert "GET 200 iris-00001" in sidecar.lines, "the probe"


def test_a_log_that_nobody_reads_stops_no_request(start):
    reader, writer = socket.socketpair()
    with reader, writer:
        sidecar = start(stdout=writer, PILOTLIGHT_METRICS_LISTEN="{address}:9091",
                        OBSERVABILITY_CONFIG=json.dumps({
                            "enableRequestLog": True,
                            "requestLogTemplate": "x" * 60000 + "{{.Request.Method}}"}))
        for _ in range(120):
            assert sidecar.ask().status == 200
        assert sidecar.metrics()["pilotlight_proxy_request_log_dropped_total"] > 0
