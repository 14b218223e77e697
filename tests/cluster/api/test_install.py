"""What is installed: the images, the kustomizations, and the policy for namespaces with our pods."""
import importlib.util
import json
import platform
import re
import subprocess
import sys
import tarfile

import pytest
import yaml

from harness import BIN, ROOT
from test_controller import kubectl

IMAGES = ROOT / "deploy/images.py"
REGISTRY = "registry.example/team/"
PROGRAMS = {"pilotlight-proxy", "pilotlight-activator", "pilotlight-autoscaler",
            "pilotlight-controller"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def images(folder, *options):
    subprocess.run([sys.executable, str(IMAGES), "--bin", str(BIN), "--out", str(folder), *options],
                   check=True, capture_output=True)
    return {path.stem: path for path in folder.glob("*.tar")}


def test_the_same_programs_give_the_same_images(tmp_path):
    one, other = images(tmp_path / "one"), images(tmp_path / "other")
    assert set(one) == PROGRAMS
    for name, path in one.items():
        assert path.read_bytes() == other[name].read_bytes(), name


def test_an_image_holds_a_program_that_is_nobodys_root(tmp_path):
    for name, path in images(tmp_path).items():
        with tarfile.open(path) as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            image = json.load(archive.extractfile(manifest["Config"]))
            config = image["config"]
            with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][0])) as layer:
                files = {entry.name: entry for entry in layer if entry.isfile()}
        assert config["User"] == "65532:65532" and config["Entrypoint"] == [f"/{name}"]
        assert image["architecture"] == MACHINES[platform.machine()]
        assert files[name].mode == 0o755
        assert not [file for file in files if file.startswith(("bin/", "usr/bin/"))], "from scratch"
        assert all(entry.mtime == 0 and entry.uid == 0 for entry in files.values())


@pytest.mark.parametrize("machine, named", [(62, "amd64"), (183, "arm64"), (243, None)])
def test_an_image_is_for_the_machine_of_its_program(tmp_path, machine, named):
    spec = importlib.util.spec_from_file_location("images", IMAGES)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF\2\1\1".ljust(18, b"\0") + machine.to_bytes(2, "little"))
    if named:
        assert made.architecture(program) == named
        return
    with pytest.raises(SystemExit, match=f"got ELF machine {machine}"):
        made.architecture(program)


def test_the_overlay_installs_the_images_from_their_registry(tmp_path):
    # Beside deploy/, as kustomize does not leave the root of its file system.
    folder = ROOT / ".cache" / tmp_path.name
    images(tmp_path, "--registry", REGISTRY, "--tag", "7", "--overlay", str(folder))
    try:
        made = kubectl("kustomize", folder).stdout
    finally:
        (folder / "kustomization.yaml").unlink()
        folder.rmdir()
    containers = [container for document in yaml.safe_load_all(made)
                  if document["kind"] == "Deployment"
                  for container in document["spec"]["template"]["spec"]["containers"]]
    named = {container["image"] for container in containers}
    named |= {word.partition("=")[2] for container in containers
              for word in container.get("args", []) if word.startswith("--sidecar-image=")}
    assert named == {f"{REGISTRY}{program}:7" for program in PROGRAMS}


def mebibytes(quantity):
    number, unit = re.fullmatch(r"(\d+)([MG]i)", quantity).groups()
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


def measured_mib():
    """The most that the newest benches of an autoscaler over TLS saw it take."""
    results = sorted((ROOT / "bench/results").glob("*-autoscaler-tls*.md"))
    newest = [path for path in results if path.name[:10] == results[-1].name[:10]]
    return max(float(found) for path in newest for found in
               re.findall(r"^\| resident memory \| ([\d.]+) MiB", path.read_text(), re.M))


@pytest.mark.parametrize("folder", ["base", "overlays/single"])
def test_an_autoscaler_may_take_twice_what_the_bench_saw_it_take(folder):
    # The bench has neither Pods nor the kernel's memory for connections, which a cgroup counts.
    [autoscaler] = [document for document in yaml.safe_load_all(
        kubectl("kustomize", ROOT / "deploy" / folder).stdout)
        if document["kind"] == "Deployment"
        and document["metadata"]["name"] == "pilotlight-autoscaler"]
    [container] = autoscaler["spec"]["template"]["spec"]["containers"]
    assert mebibytes(container["resources"]["limits"]["memory"]) >= 2 * measured_mib()


def test_the_policy_for_pods_is_accepted_and_keeps_the_admin_port_closed():
    path = ROOT / "deploy/namespace/network-policy.yaml"
    kubectl("-n", "default", "apply", "--dry-run=server", "-f", path)
    rules = yaml.safe_load(path.read_text())["spec"]["ingress"]
    open_to_all = {port["port"] for rule in rules if "from" not in rule for port in rule["ports"]}
    assert open_to_all == {8012, 8112}
    assert not [rule for rule in rules for port in rule["ports"] if port["port"] in (8022, 9090)]
