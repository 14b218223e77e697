"""Broken manifests and broken circumstances: one clear message each, the right exit code, nothing
started."""
import pathlib
import shutil
import socket

import pytest
import yaml

from harness import BIN, PILOTLIGHT, echo_service, run

GOOD = yaml.safe_load(echo_service())


def changed(path, value):
    """The good manifest with one place of it set to value; None removes it."""
    document = yaml.safe_load(yaml.safe_dump(GOOD))
    at = document
    for key in path[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return yaml.safe_dump(document)


TEMPLATE = ("spec", "template")
ANNOTATIONS = (*TEMPLATE, "metadata", "annotations")
SPEC = (*TEMPLATE, "spec")
KPA = "autoscaling.knative.dev/"

# name: (manifest text, words that the one message must hold)
BROKEN = {
    "unknown annotation value": (changed((*ANNOTATIONS, KPA + "metric"), "happiness"),
                                 ["metric", "happiness"]),
    "min above max": (changed(ANNOTATIONS, {KPA + "min-scale": "5", KPA + "max-scale": "2"}),
                      ["min-scale", "5", "2"]),
    "no command": (changed((*SPEC, "containers", 0, "command"), None), ["command"]),
    "two containers with ports": (
        changed((*SPEC, "containers"), [
            {"name": "one", "command": ["echo-server"], "ports": [{"containerPort": 8080}]},
            {"name": "two", "command": ["echo-server"], "ports": [{"containerPort": 8081}]}]),
        ["ports"]),
    "bad duration": (changed((*ANNOTATIONS, KPA + "window"), "soon"), ["window", "soon"]),
    "YAML error": ("apiVersion: serving.knative.dev/v1\nkind: [Service\nmetadata: {}\n",
                   ["broken.yaml:3:", "YAML"]),
    "wrong kind": (changed(("kind",), "Servcie"), ["kind", "Servcie"]),
    "duplicate name": (echo_service("twin") + "---\n" + echo_service("twin"), ["twin"]),
    "bad concurrency": (changed((*SPEC, "containerConcurrency"), -1),
                        ["containerConcurrency", "-1"]),
    "unknown field": (changed((*SPEC, "containerConcurency"), 4), ["containerConcurency"]),
    "unquoted annotation": (changed((*ANNOTATIONS, KPA + "min-scale"), 1), ["min-scale"]),
}


def assert_nothing_started(state_dir):
    assert not (state_dir / "up.json").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_manifest_is_named_and_exits_78(name, state_dir, tmp_path):
    text, words = BROKEN[name]
    manifest = tmp_path / "broken.yaml"
    manifest.write_text(text)
    done = run("up", manifest, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
               state_dir=state_dir)
    assert done.returncode == 78, done
    for word in ["broken.yaml", *words]:
        assert word in done.stderr, f"{word!r} is not in:\n{done.stderr}"
    assert_nothing_started(state_dir)


def test_a_missing_file_is_named_and_exits_78(state_dir, tmp_path):
    done = run("up", tmp_path / "absent.yaml", "--listen", "127.0.0.1:0", state_dir=state_dir)
    assert done.returncode == 78, done
    assert "absent.yaml" in done.stderr
    assert_nothing_started(state_dir)


def test_all_problems_of_all_files_are_said_at_once(state_dir, tmp_path):
    (tmp_path / "one.yaml").write_text(changed((*SPEC, "containerConcurrency"), -1))
    (tmp_path / "two.yaml").write_text(changed((*ANNOTATIONS, KPA + "window"), "soon"))
    done = run("up", tmp_path, "--listen", "127.0.0.1:0", state_dir=state_dir)
    assert done.returncode == 78, done
    assert "one.yaml" in done.stderr and "two.yaml" in done.stderr
    assert_nothing_started(state_dir)


def test_an_unknown_flag_exits_78(state_dir):
    done = run("up", "--no-such-flag", "echo.yaml", state_dir=state_dir)
    assert done.returncode == 78, done
    assert "no-such-flag" in done.stderr


@pytest.mark.parametrize("flag", ["--listen", "--api"])
def test_a_port_in_use_is_named_and_exits_1(flag, state_dir, tmp_path):
    manifest = tmp_path / "echo.yaml"
    manifest.write_text(echo_service())
    other = {"--listen": "--api", "--api": "--listen"}[flag]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("up", manifest, flag, address, other, "127.0.0.1:0", state_dir=state_dir)
    assert done.returncode == 1, done
    assert address in done.stderr
    assert "in use" in done.stderr
    assert_nothing_started(state_dir)


def test_a_gateway_without_ports_after_it_is_named_and_exits_1(state_dir, tmp_path):
    manifest = tmp_path / "echo.yaml"
    manifest.write_text(echo_service())
    done = run("up", manifest, "--listen", "127.0.0.1:65535", "--api", "127.0.0.1:0",
               state_dir=state_dir)
    assert done.returncode == 1, done
    assert "65535" in done.stderr and "service echo" in done.stderr
    assert_nothing_started(state_dir)


def test_a_missing_program_is_named_and_exits_1(state_dir, tmp_path):
    manifest = tmp_path / "echo.yaml"
    manifest.write_text(echo_service())
    alone = tmp_path / "bin"
    alone.mkdir()
    shutil.copy(PILOTLIGHT, alone)
    done = run("up", manifest, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
               state_dir=state_dir, binary=alone / "pilotlight")
    assert done.returncode == 1, done
    assert "pilotlight-" in done.stderr and str(alone) in done.stderr
    assert_nothing_started(state_dir)


def test_a_missing_command_is_named_before_anything_starts(state_dir, tmp_path):
    manifest = tmp_path / "echo.yaml"
    manifest.write_text(echo_service(command=("no-such-program",)))
    done = run("up", manifest, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
               state_dir=state_dir)
    assert done.returncode in (1, 78), done
    assert "no-such-program" in done.stderr
    assert_nothing_started(state_dir)


def test_a_locked_state_dir_is_named_and_exits_1(start, state_dir):
    first = start(echo_service(initial_scale="0"))
    done = run("up", pathlib.Path(f"{state_dir}-0.yaml"), "--listen", "127.0.0.1:0",
               "--api", "127.0.0.1:0", state_dir=state_dir)
    assert done.returncode == 1, done
    assert str(state_dir) in done.stderr
    assert str(first.process.pid) in done.stderr
    assert first.ask().status == 200  # the first one is as it was


def test_every_program_says_what_it_is_and_refuses_nonsense():
    needed = {"pilotlight": ["status"],
              "pilotlight-activator": ["--kube", "http://127.0.0.1:1", "--autoscaler", "127.0.0.1:2",
                                       "--token-file", "/dev/null"],
              "pilotlight-autoscaler": ["--kube", "http://127.0.0.1:1", "--token-file", "/dev/null"],
              "pilotlight-proxy": []}
    for name, arguments in needed.items():
        assert run("--help", binary=BIN / name).returncode == 0
        version = run("--version", binary=BIN / name)
        assert version.returncode == 0 and version.stdout.strip(), name
        nonsense = run(*arguments, "--no-such-flag", binary=BIN / name)
        assert nonsense.returncode == 78, (name, nonsense)
        assert "no-such-flag" in nonsense.stderr, (name, nonsense)


def test_the_shim_explains_itself_and_takes_no_arguments():
    shim = BIN / "pilotlight-shim"
    helped = run("--help", binary=shim)
    assert helped.returncode == 0 and "pilotlight up" in helped.stdout
    nonsense = run("--no-such-flag", binary=shim)
    assert nonsense.returncode == 78 and "no-such-flag" in nonsense.stderr, nonsense
