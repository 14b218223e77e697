"""`pilotlight convert` and `pilotlight inject`: manifests in, manifests out."""
import json
import os
import pathlib
import subprocess

import pytest
import yaml

from harness import PILOTLIGHT, ROOT

DATA = ROOT / "tests" / "cli" / "data"
SERVICE = ROOT / "examples" / "iris" / "service.yaml"


def pilotlight(*arguments, text=None):
    return subprocess.run([str(PILOTLIGHT), *map(str, arguments)], input=text, text=True,
                          capture_output=True, timeout=30)


def expect_golden(name, text):
    """Equal to the file; with PILOTLIGHT_WRITE_GOLDEN set it is written instead."""
    golden = DATA / name
    if os.environ.get("PILOTLIGHT_WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_the_example_becomes_its_golden_deployment_and_service():
    made = pilotlight("convert", "-f", SERVICE)
    assert (made.returncode, made.stderr) == (0, "")
    expect_golden("iris.converted.yaml", made.stdout)


def test_what_was_converted_is_injected_into_its_golden_form():
    converted = pilotlight("convert", "-f", SERVICE).stdout
    made = pilotlight("inject", "-f", "-", "--image", "pilotlight-proxy:1", "--autoscaler",
                      "10.96.0.20:9444", text=converted)
    assert (made.returncode, made.stderr) == (0, "")
    expect_golden("iris.injected.yaml", made.stdout)
    again = pilotlight("inject", "-f", "-", text=made.stdout)
    assert again.stdout == made.stdout, "injected twice"


@pytest.mark.parametrize("command", ["convert", "inject"])
def test_json_says_the_same(command):
    as_yaml = pilotlight(command, "-f", SERVICE)
    as_json = pilotlight(command, "-f", SERVICE, "-o", "json")
    assert as_json.returncode == 0
    listed = json.loads(as_json.stdout)
    items = listed["items"] if listed["kind"] == "List" else [listed]
    assert items == list(yaml.safe_load_all(as_yaml.stdout))


def test_problems_end_with_78_a_line_each_and_no_output():
    bad = SERVICE.read_text().replace('"30s"', '"soon"').replace("containerConcurrency: 4",
                                                                 "containerConcurrency: -1")
    made = pilotlight("convert", "-f", "-", text=bad)
    assert (made.returncode, made.stdout) == (78, "")
    lines = made.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("pilotlight: -:") for line in lines), made.stderr


@pytest.mark.parametrize("arguments", [
    ("convert",), ("inject",), ("convert", "-f", "/nowhere.yaml"), ("inject", "-f", SERVICE, "-o", "x"),
    ("inject", "-f", SERVICE, "--autoscaler", "name:9444"),
    ("inject", "-f", SERVICE, "--autoscaler", ":9444")])
def test_bad_arguments_end_with_78(arguments):
    made = pilotlight(*arguments)
    assert (made.returncode, made.stdout) == (78, "")
    assert made.stderr


@pytest.mark.parametrize("command", ["convert", "inject"])
def test_help_names_every_option(command):
    made = pilotlight(command, "--help")
    assert made.returncode == 0
    for word in ("--filename", "--output", "yaml", "json"):
        assert word in made.stdout


def test_a_converted_service_runs_on_a_laptop_as_it_is(start):
    """The Service of Kubernetes beside it is the cluster's business."""
    from harness import echo_service
    converted = pilotlight("convert", "-f", "-", text=echo_service(initial_scale="0"))
    assert converted.returncode == 0, converted.stderr
    deployment = next(doc for doc in yaml.safe_load_all(converted.stdout)
                      if doc["kind"] == "Deployment")
    up = start(yaml.safe_dump(deployment))
    assert up.ask("/hello?bytes=3").status == 200
