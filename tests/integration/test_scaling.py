"""decide and explain: decisions taken again, and told afterwards."""
import json
import pathlib
import urllib.request

from harness import echo_service, run, wait_for

DATA = pathlib.Path(__file__).parent.parent / "autoscaler" / "data"
SLEEPY = echo_service(initial_scale="0", window="6s")


def test_every_recorded_run_is_decided_alike():
    files = sorted(DATA.glob("*.jsonl"))
    assert len(files) == 10
    for file in files:
        checked = run("decide", str(file), "--check")
        assert checked.returncode == 0, checked.stderr
        assert "599 decisions agree" in checked.stdout


def test_the_first_difference_is_shown_with_both_answers_and_the_inputs(tmp_path):
    lines = (DATA / "kpa-001.jsonl").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if json.loads(line).get("desired"))
    answer = json.loads(lines[at])
    answer["desired"] += 1
    lines[at] = json.dumps(answer)
    file = tmp_path / "bent.jsonl"
    file.write_text("\n".join(lines) + "\n")
    checked = run("decide", str(file), "--check")
    assert checked.returncode == 1
    for word in (f"bent.jsonl:{at + 1}: the decision differs", "recorded: ", "got: ", "inputs: "):
        assert word in checked.stderr
    plain = run("decide", str(file))
    assert plain.returncode == 0
    decided = [json.loads(line) for line in plain.stdout.splitlines()]
    assert len(decided) == 599
    assert set(decided[0]) == {"ms", "ready", "stable", "panic", "desired", "excess_burst_capacity"}


def test_a_file_that_does_not_read_is_refused_with_its_line(tmp_path):
    file = tmp_path / "bad.jsonl"
    first = (DATA / "kpa-001.jsonl").read_text().splitlines()[0]
    file.write_text(first + '\n{"ms": 1, "sample": "much"}\n')
    refused = run("decide", str(file))
    assert refused.returncode == 78
    assert f'{file}:2: sample: got "much", expected a number' in refused.stderr


def test_a_wake_is_explained_while_it_runs_and_afterwards(start):
    up = start(SLEEPY)
    up.wait_asleep()
    assert up.ask("/").status == 200
    up.wait_state("awake")

    def told():
        return run("explain", "echo", "--since", "5m", state_dir=up.state_dir)

    wait_for("the wake in what explain tells", lambda: "0 -> 1" in told().stdout)
    assert "poke: 1 request parked and no replica ready" in told().stdout
    full = run("explain", "default/echo", "-o", "json", state_dir=up.state_dir)
    wakes = [line for line in map(json.loads, full.stdout.splitlines())
             if line["event"] == "decision" and line["reason"] == "poke"]
    assert wakes and {"seen", "policy", "before", "text", "ms"} <= set(wakes[0])
    assert run("explain", "nobody", state_dir=up.state_dir).returncode == 1
    assert run("explain", "echo", "--since", "soon", state_dir=up.state_dir).returncode == 78
    up.down()
    assert "0 -> 1" in told().stdout
    checked = run("decide", up.state_dir / "decisions.jsonl", "--check")
    assert checked.returncode == 0, checked.stderr
    assert "decisions agree" in checked.stdout


def test_defaults_of_all_services_come_from_a_file(start, tmp_path):
    file = tmp_path / "config-autoscaler.yaml"
    file.write_text("stable-window: 6s\nmin-scale: 2\n")
    up = start(echo_service(), options=("--config-autoscaler", file))
    wait_for("two replicas by default", lambda: up.service()["ready"] == 2)


def test_a_floor_is_edited_live_and_makes_no_revision(start):
    up = start(SLEEPY)
    up.wait_asleep()
    # A moment every minute that stands for an hour: now, whatever the time is.
    floor = json.dumps([{"cron": "* * * * *", "replicas": 2, "for": "1h", "timezone": "Europe/Berlin"}])
    for value, ready in ((floor, 2), (None, 0)):
        patch = urllib.request.Request(
            up.facts()["api"] + "/apis/apps/v1/namespaces/default/deployments/echo-00001-deployment",
            data=json.dumps({"metadata": {"annotations": {"pilotlight.dev/floor": value}}}).encode(),
            method="PATCH", headers={"Content-Type": "application/merge-patch+json"})
        with urllib.request.urlopen(patch) as response:
            assert response.status == 200
        wait_for(f"{ready} ready", lambda: up.service()["ready"] == ready)
        assert up.service()["revision"] == "echo-00001"
    told = run("explain", "echo", state_dir=up.state_dir)
    assert "0 -> 2      floor: the floor is 2 at this time" in told.stdout


def test_a_bad_file_of_defaults_starts_nothing(tmp_path):
    manifest = tmp_path / "echo.yaml"
    manifest.write_text(echo_service())
    file = tmp_path / "config-autoscaler.yaml"
    file.write_text("stable-window: 1s\nmax-scale-up-rate: 1\n")
    refused = run("up", str(manifest), "--config-autoscaler", str(file), state_dir=tmp_path / "state")
    assert refused.returncode == 78
    assert f'{file}:1: stable-window: got "1s"' in refused.stderr
    assert f'{file}:2: max-scale-up-rate: got "1"' in refused.stderr
