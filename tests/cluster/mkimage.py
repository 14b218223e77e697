#!/usr/bin/env python3
"""Writes a container image FROM scratch, without any daemon: a docker-archive with one layer.

    mkimage.py NAME:TAG OUT.tar [--user U] [--env K=V]... [--entry /bin/x] FILE=/path/in/image ...

Reproducible: the same files give the same bytes. Import it with `ctr -n k8s.io images import`.
"""
import argparse
import hashlib
import io
import json
import os
import tarfile


def layer_of(files):
    """The bytes of a layer with these FILE=/path, their folders, /tmp, /etc and /var/run."""
    layer, seen = io.BytesIO(), {"", "/"}
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        def folder(path, mode=0o755):
            if path in seen:
                return
            folder(os.path.dirname(path))
            seen.add(path)
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)

        folder("/tmp", 0o1777)
        folder("/etc")
        folder("/var/run")
        for pair in files:
            source, path = pair.split("=", 1)
            folder(os.path.dirname(path))
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = os.path.getsize(source), os.stat(source).st_mode & 0o777
            with open(source, "rb") as content:
                archive.addfile(entry, content)
    return layer.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("out")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--user", default="65532:65532")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--entry", help="the program; by default the first file")
    given = parser.parse_args()

    layer = layer_of(given.files)
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"User": given.user, "Env": ["PATH=/bin:/usr/bin:/", *given.env],
                   "WorkingDir": "/",
                   "Entrypoint": [given.entry or given.files[0].split("=", 1)[1]]},
        "rootfs": {"type": "layers",
                   "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created_by": "mkimage"}]}, separators=(",", ":")).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [given.name],
                            "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(given.out, "w", format=tarfile.USTAR_FORMAT) as image:
        for name, content in ((config_name, config), ("layer.tar", layer),
                              ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            image.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
