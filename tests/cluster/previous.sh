#!/bin/bash
# previous.sh <revision>: an earlier version to upgrade from, built once: <cache>/<revision> gets its
# images, tagged "previous", and an overlay of its own deploy/ that installs them. Prints the folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
revision=$(git -C "$root" rev-parse --verify --quiet "$1^{commit}") ||
  { echo "previous: $1: no such revision in this clone" >&2; exit 1; }
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pilotlight
folder=$cache/previous/$revision
mkdir -p "$folder"
exec 9>"$folder.lock"
flock 9
if [[ ! -e $folder/complete ]]; then
  echo "previous: building $revision" >&2
  rm -rf "$folder"
  mkdir -p "$folder/source"
  git -C "$root" archive "$revision" | tar -x -C "$folder/source"
  cd "$folder/source"
  export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
  cmake --preset release -DCMAKE_CXX_COMPILER_LAUNCHER=ccache >&2
  cmake --build build/release -j "${DEV_JOBS:-$(nproc)}" --target programs >&2
  deploy/images.py --bin build/release/bin --out "$folder/images" --tag previous >&2
  mkdir -p "$folder/overlay"
  cat >"$folder/overlay/kustomization.yaml" <<'TEXT'
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - ../source/deploy/overlays/single
replicas:
  - {name: pilotlight-activator, count: 2}
  - {name: pilotlight-autoscaler, count: 2}
images:
  - {name: pilotlight-controller, newTag: previous}
  - {name: pilotlight-autoscaler, newTag: previous}
  - {name: pilotlight-activator, newTag: previous}
patches:
  - target: {kind: Deployment, name: pilotlight-controller}
    patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/args/0
        value: --sidecar-image=pilotlight-proxy:previous
TEXT
  rm -rf build
  touch "$folder/complete"
fi
echo "$folder"
