#!/usr/bin/env python3
"""Writes the container images, without any daemon: ./dev images [options].

One archive per program (for `docker load`, `ctr images import`, `skopeo copy docker-archive:...`),
FROM scratch: the program, the libraries that it is linked with, and the few files that they read.
The same programs give the same bytes: no times, owners or orders of a file system are in them.
"""
import argparse
import hashlib
import io
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tarfile
import tempfile

USER = "65532:65532"
ZONES = pathlib.Path("/usr/share/zoneinfo")
ROOTS = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
# Program: files that it needs besides its libraries.
IMAGES = {
    "pilotlight-proxy": [ROOTS],  # readiness probes over https
    "pilotlight-activator": [],
    "pilotlight-autoscaler": [ZONES],  # floors have time zones
    "pilotlight-controller": [ZONES],  # which are checked before they are stored
}
# ELF's number of a machine: the name that images have for it. All are little-endian.
ARCHITECTURES = {62: "amd64", 183: "arm64"}
TEXTS = {
    "/etc/passwd": "pilotlight:x:65532:65532:pilotlight:/:/none\n",
    "/etc/group": "pilotlight:x:65532:\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}


def architecture(program):
    """What nodes the program is for, by its ELF header: they go by what the image says."""
    with open(program, "rb") as file:
        header = file.read(20)
    if header[:6] != b"\x7fELF\2\1":
        sys.exit(f"{program}: no little-endian ELF program of 64 bits")
    machine, = struct.unpack_from("<H", header, 18)
    if machine not in ARCHITECTURES:
        sys.exit(f"{program}: got ELF machine {machine}, expected one of {ARCHITECTURES}")
    return ARCHITECTURES[machine]


def libraries(program):
    """Paths of the shared libraries and of the loader, where the program looks for them."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    assert "not found" not in listed, f"{program}: {listed}"
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def stripped(program):
    """The program's bytes without debug information, which is nine tenths of it."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["strip", "--strip-debug", "-o", out.name, program], check=True)
        return pathlib.Path(out.name).read_bytes()


def files_of(program, extra):
    """Path in the image: its bytes and mode."""
    files = {f"/{program.name}": (stripped(program), 0o755)}
    for library in libraries(program):
        files[library] = (pathlib.Path(library).read_bytes(), 0o755)
    for text in TEXTS:
        files[text] = (TEXTS[text].encode(), 0o644)
    for path in extra:
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_file():
                files[str(each)] = (each.read_bytes(), 0o644)
    return files


def layer(files):
    out = io.BytesIO()
    folders = set()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(files):
            for folder in reversed(pathlib.PurePosixPath(path).parents[:-1]):
                if folder in folders:
                    continue
                folders.add(folder)
                entry = tarfile.TarInfo(str(folder).lstrip("/"))
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            content, mode = files[path]
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def archive(name, program, content):
    """A docker-archive with one image of one layer."""
    config = json.dumps({
        "architecture": architecture(program), "os": "linux",
        "config": {"User": USER, "WorkingDir": "/", "Env": ["PATH=/"],
                   "Entrypoint": [f"/{program.name}"]},
        "rootfs": {"type": "layers",
                   "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
        "history": [{"created_by": "deploy/images.py"}]}, separators=(",", ":")).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name],
                            "Layers": ["layer.tar"]}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, part in ((config_name, config), ("layer.tar", content),
                           ("manifest.json", manifest)):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(part), 0o644
            tar.addfile(entry, io.BytesIO(part))
    return out.getvalue()


def overlay(folder, registry, tag):
    """A kustomization that installs deploy/base with these images."""
    base = os.path.relpath(pathlib.Path(__file__).parent / "base", folder)
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization",
             f"resources: [{base}]", "images:"]
    for program in IMAGES:
        lines.append(f"  - {{name: {program}, newName: {registry}{program}, newTag: {tag!r}}}")
    lines += ["patches:  # the sidecar's is an argument, which `images` does not reach",
              "  - target: {kind: Deployment, name: pilotlight-controller}", "    patch: |-",
              "      - op: replace", "        path: /spec/template/spec/containers/0/args/0",
              f"        value: --sidecar-image={registry}pilotlight-proxy:{tag}"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the archives")
    parser.add_argument("--tag", default="latest")
    parser.add_argument("--also", action="append", default=[], metavar="PROGRAM",
                        help="another program of that folder")
    parser.add_argument("--registry", default="", help="before the names, as registry.example/team/")
    parser.add_argument("--overlay", type=pathlib.Path,
                        help="folder for a kustomization that installs them")
    arguments = parser.parse_args()
    if arguments.overlay:
        overlay(arguments.overlay, arguments.registry, arguments.tag)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for program, extra in [*IMAGES.items(), *((name, []) for name in arguments.also)]:
        name = f"{arguments.registry}{program}:{arguments.tag}"
        file = arguments.bin / program
        made = archive(name, file, layer(files_of(file, extra)))
        path = arguments.out / f"{program}.tar"
        path.write_bytes(made)
        print(f"{path} {name} {len(made)} bytes sha256:{hashlib.sha256(made).hexdigest()}")


if __name__ == "__main__":
    main()
