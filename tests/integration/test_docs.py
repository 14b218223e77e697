"""The documentation is true: its commands run, its links lead somewhere."""
import json
import re
import shlex
import subprocess

import pytest

from harness import ROOT, echo_service, run, wait_for
from http1 import ask_now
from metrics_page import documented, exposed, section

DOCUMENTS = sorted(path.relative_to(ROOT).as_posix()
                   for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def readme_commands():
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def test_the_readmes_commands_do_what_it_says(start):
    commands = readme_commands()
    up_command, curl, up_my_own, status, logs, explain, down = commands
    assert up_command == "./dev up"
    up = start(command=[ROOT / "dev", "up"], environment={"CI": "true"})
    address = up.address("iris")

    here = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120}
    assert "http://iris.default.localhost:8080/" in curl
    answer = subprocess.run(shlex.split(curl.replace(":8080/", f":{address[1]}/")), **here)
    assert answer.returncode == 0, answer
    assert json.loads(answer.stdout)["outputs"][0]["data"] == [0, 1, 2]

    for command in (status, logs.removesuffix(" -f"), explain, down):
        words = shlex.split(command)
        done = run(*words[1:], state_dir=up.state_dir, binary=ROOT / words[0])
        assert done.returncode == 0, (command, done)
    assert up.process.wait(30) == 0
    assert shlex.split(up_my_own)[1:] == ["up", "my.yaml"]


def test_the_decisions_in_the_docs_are_taken_again():
    text = (ROOT / "docs/autoscaling.md").read_text()
    commands = re.findall(r"^pilotlight (decide \S+\.jsonl.*)$", text, re.M)
    assert commands
    for command in commands:
        done = run(*shlex.split(command), cwd=ROOT)
        assert done.returncode == 0, (command, done)
        assert "decisions agree" in done.stdout


def test_every_kind_of_event_is_in_the_docs():
    sources = "".join(path.read_text() for path in ROOT.glob("autoscaler/*.cc"))
    kinds = set(re.findall(r'\bwrite\([^;]*?, "([a-z_]+)", ', sources)) | {"decision"}
    assert len(kinds) > 5
    told = set(re.findall(r"^\| `([a-z_]+)` \| ", (ROOT / "docs/autoscaling.md").read_text(), re.M))
    assert kinds <= told, kinds - told


def test_every_command_has_help():
    listed = run("--help").stdout.partition("Subcommands:")[2]
    names = re.findall(r"^  ([a-z]+)", listed, re.M)
    assert {"up", "status", "logs", "explain", "decide", "down", "version"} <= set(names)
    operations = (ROOT / "docs/operations.md").read_text()
    for name in names:
        done = run(name, "--help")
        assert done.returncode == 0, (name, done)
        assert re.search(rf"^Usage: \S*pilotlight {name}\b", done.stdout, re.M), (name, done)
        assert name == "version" or f"\npilotlight {name} " in operations, name


def test_every_dev_command_has_help():
    listed = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True)
    names = re.findall(r"^  ([a-z]+)", listed.stdout, re.M)
    assert {"setup", "build", "up", "test", "bench", "fmt"} <= set(names)
    for name in names:
        done = subprocess.run([ROOT / "dev", name, "--help"], capture_output=True, text=True,
                              timeout=600)
        assert done.returncode == 0, (name, done)
        assert "usage" in done.stdout.lower(), (name, done)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{document}: {target}"


def test_the_metrics_page_is_what_is_exposed(start):
    up = start(echo_service(initial_scale="0", window="6s"),
               echo_service("rates", metric="rps", initial_scale="0"),
               echo_service("late", args=("--never-listen",), initial_scale="0", timeout_seconds=1))
    assert up.ask().status == 200
    assert up.ask(name="late").status == 504, "a refusal to count"

    def told():
        text = ""
        for program in ("activator", "autoscaler"):
            host, _ = up.admin(program)
            text += ask_now((host, 9090), host, "/metrics").body.decode()
        return "pilotlight_wake_to_answer_seconds" in text and exposed(text)

    page = documented(section("Activator")) | documented(section("Autoscaler"))
    reviews = {name for name in page if name.startswith("pilotlight_token")}
    assert reviews, "tests/cluster/api/test_wire.py has them: only an API server reviews tokens"
    assert wait_for("the cold start to be told", told) == {
        name: said for name, said in page.items() if name not in reviews}


def test_the_compatibility_page_names_tests_that_exist():
    page = (ROOT / "docs/knative-compatibility.md").read_text()
    cpp = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*_test.cc"))
    known = {f"{suite}.{name}" for suite, name in
             re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", cpp, re.M)}
    named = set(re.findall(r"`([A-Z]\w+\.[A-Z]\w+)`", page))
    named.remove("Suite.Name")
    assert named and named <= known, named - known
    scripts = re.findall(r"`(test_\w+\.py): (test_\w+)`", page)
    assert scripts
    for file, name in scripts:
        text = (ROOT / "tests/integration" / file).read_text()
        assert f"\ndef {name}(" in text, f"{file}: {name}"
    for row in re.findall(r"^\| (?!what \|)(.*)\|$", page, re.M):
        _, verdict, _, proof = [cell.strip() for cell in row.split("|")]
        assert verdict in ("same", "better", "not yet"), row
        assert proof or verdict == "not yet", f"nothing proves: {row}"
