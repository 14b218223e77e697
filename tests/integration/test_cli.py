"""up, status, logs and down as a user meets them."""
import asyncio
import json
import os
import signal
import stat
import subprocess
import time

import pytest

import load
from harness import PILOTLIGHT, echo_service, run, wait_for
from http1 import ask

SLEEPY = echo_service(initial_scale="0", window="6s")


def test_it_answers_by_host_and_by_port_and_falls_asleep(start):
    up = start(SLEEPY)
    up.wait_asleep()
    up.wait_wakes(0)
    by_host = up.ask("/hello?bytes=3")
    assert (by_host.status, len(by_host.body)) == (200, 3)
    own = up.own_address()
    by_port = asyncio.run(ask(own, f"127.0.0.1:{own[1]}", "/"))
    assert by_port.status == 200
    assert up.wait_state("awake")["ready"] == 1
    woken = up.wait_wakes(1)
    assert woken["decisions"], "a wake is a decision"
    assert {"ms", "reason", "inputs", "desired"} <= set(woken["decisions"][-1])
    up.wait_asleep()
    wait_for("the sleep in what up prints", lambda: "echo asleep after" in up.output)
    # A wake whose phases are not all known 2 s after its answer is told without them.
    for wakes in range(1, 4):
        told = wait_for(f"{wakes} wakes in what up prints",
                        lambda w=wakes: len(lines := told_wakes(up)) >= w and lines)
        if has_phases(told[-1]):
            break
        assert up.ask().status == 200
        up.wait_asleep()
    assert has_phases(told[-1]), told


def told_wakes(up):
    return [line for line in up.output.splitlines() if "echo woke in " in line]


def has_phases(line):
    return all(phase in line for phase in ("decide ", "start ", "listen ", "ready ", "first byte "))


def test_up_prints_every_url_and_status_has_the_same(start):
    up = start(SLEEPY, echo_service("other", initial_scale="0"))
    for name in ("echo", "other"):
        for url in up.service(name)["urls"]:
            wait_for(f"{url} in the output", lambda: url in up.output)
    assert up.own_address("echo") != up.own_address("other")
    table = run("status", state_dir=up.state_dir)
    assert table.returncode == 0
    assert "echo" in table.stdout and "other" in table.stdout and "asleep" in table.stdout


def test_an_unknown_route_is_told_what_would_match(start):
    up = start(SLEEPY)
    response = up_ask_as(up, "nobody.default.localhost")
    assert response.status == 404
    assert b"nobody.default.localhost" in response.body
    assert b"echo" in response.body


def up_ask_as(up, host):
    return asyncio.run(ask(up.address(), host, "/"))


def test_the_secrets_in_the_state_dir_are_for_the_owner_only(start, state_dir):
    up = start(SLEEPY)
    assert stat.S_IMODE((state_dir / "kubeconfig").stat().st_mode) == 0o600
    token = up.api_url().rpartition("/")[2]
    for path in state_dir.rglob("*"):
        if path.is_file() and token.encode() in path.read_bytes():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_logs_has_the_apps_own_lines_and_follows(start):
    script = 'echo "hello from $K_REVISION on stdout"; echo "and stderr" >&2; exec echo-server'
    up = start(echo_service(command=("/bin/sh",), args=("-c", script), initial_scale="0",
                            window="6s"))
    follower = subprocess.Popen([str(PILOTLIGHT), "logs", "echo", "-f", "--state-dir",
                                 str(up.state_dir)], stdout=subprocess.PIPE, text=True)
    try:
        assert up.ask().status == 200
        lines = []
        while not lines or "hello from echo-00001 on stdout" not in lines[-1]:
            lines.append(follower.stdout.readline())
            assert lines[-1], f"the follower ended: {lines}"
    finally:
        follower.kill()
        follower.wait()
    logs = run("logs", "echo", state_dir=up.state_dir)
    assert logs.returncode == 0
    assert "hello from echo-00001 on stdout" in logs.stdout
    assert "and stderr" in logs.stdout
    unknown = run("logs", "nobody", state_dir=up.state_dir)
    assert unknown.returncode != 0 and "nobody" in unknown.stderr


def test_logs_has_what_came_before_a_full_file_and_the_last_words(start):
    script = ('echo first; head -c 1100000 /dev/zero | tr "\\0" "x" | fold -w 1000; '
              'printf "a\\0b\\nlast words"; exec echo-server >/dev/null 2>&1')
    up = start(echo_service(command=("/bin/sh",), args=("-c", script), initial_scale="1"))
    logs = wait_for("the last words", lambda: "app] last words\n" in (
        text := run("logs", "echo", state_dir=up.state_dir).stdout) and text)
    assert "app] first\n" in logs
    assert "a\0b\n" in logs


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "down"])
def test_the_end_is_polite_and_whole(how, start):
    up = start(echo_service(initial_scale="1", max_scale="2", window="6s"))
    assert up.ask().status == 200
    up.remember_processes()
    done = asyncio.run(end_with_a_request_in_flight(up, how, up.address(), up.host()))
    assert done.startswith(b"HTTP/1.1 200 "), done
    assert up.process.wait(30) == 0
    up.assert_nothing_left(seconds=10)
    assert up.facts() is None
    assert "stale" not in run("status", state_dir=up.state_dir).stdout


async def end_with_a_request_in_flight(up, how, address, host):
    """The answer to a request whose body's last byte comes when the end has begun."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
                 .encode())
    await load.wait_for("the request to run", lambda: up.service()["in_flight"] == 1, every=0.02)
    if how == "down":
        down = asyncio.create_task(load.in_thread(lambda: run("down", state_dir=up.state_dir)))
    else:
        os.kill(up.process.pid, getattr(signal, how))
    await load.wait_for("the end to begin", lambda: "ending: finishing" in up.output, every=0.02)
    writer.write(b"x")
    answer = await reader.read()
    writer.close()
    if how == "down":
        done = await down
        assert done.returncode == 0, done
    return answer


def test_commands_without_an_up_say_so(state_dir):
    for command in (("status",), ("logs", "echo")):
        done = run(*command, state_dir=state_dir)
        assert done.returncode == 1, (command, done)
        assert str(state_dir) in done.stderr, (command, done)


def test_the_logs_outlive_the_up(start):
    script = 'echo "hello from $K_REVISION on stdout"; exec echo-server'
    up = start(echo_service(command=("/bin/sh",), args=("-c", script)))
    wait_for("the app's line", lambda: "hello from" in run("logs", "echo", state_dir=up.state_dir).stdout)
    assert run("down", state_dir=up.state_dir).returncode == 0
    logs = run("logs", "echo", state_dir=up.state_dir)
    assert logs.returncode == 0, logs
    assert "hello from echo-00001 on stdout" in logs.stdout
    assert run("logs", "default/echo", state_dir=up.state_dir).stdout == logs.stdout
    unknown = run("logs", "ech", state_dir=up.state_dir)
    assert unknown.returncode == 1 and "ech" in unknown.stderr


def test_an_address_that_others_reach_is_said_loudly(start):
    up = start(SLEEPY, listen="0.0.0.0:0")
    wait_for("the warning", lambda: "0.0.0.0" in up.output)
    assert any(word in up.output.lower() for word in ("warning", "reach", "network", "anyone"))


def test_a_minimum_of_one_never_sleeps(start):
    up = start(echo_service(initial_scale="1", min_scale="1", window="6s"))
    wait_for("it to be awake", lambda: up.service()["ready"] == 1)
    until = time.monotonic() + 10  # a window, a tick and a margin without a request
    while time.monotonic() < until:
        assert up.service()["desired"] == 1
        time.sleep(0.2)


def test_the_container_contract(start):
    """What a Knative container may expect in its environment."""
    script = ('import json, os, http.server as h\n'
              'class H(h.BaseHTTPRequestHandler):\n'
              '    def do_GET(self):\n'
              '        b = json.dumps(dict(os.environ)).encode()\n'
              '        self.send_response(200)\n'
              '        self.send_header("Content-Length", str(len(b)))\n'
              '        self.end_headers()\n'
              '        self.wfile.write(b)\n'
              'h.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()\n')
    up = start(echo_service(command=("/usr/bin/python3", "-c"), args=(script,),
                            env={"GREETING": "port $(PORT), not $$(PORT) nor $(NOPE)"},
                            initial_scale="0", window="6s"))
    seen = json.loads(up.ask().body)
    assert seen["K_SERVICE"] == "echo"
    assert seen["K_REVISION"] == "echo-00001"
    assert seen["K_CONFIGURATION"] == "echo"
    assert 1024 <= int(seen["PORT"]) < 32768
    assert len({seen["PORT"], seen["PORT_1"], seen["PORT_2"], seen["PORT_3"]}) == 4
    assert seen["POD_IP"].startswith("127.")
    assert seen["GREETING"] == f"port {seen['PORT']}, not $(PORT) nor $(NOPE)"
