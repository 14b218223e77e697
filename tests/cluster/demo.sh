#!/bin/bash
# demo.sh <build folder> [options of examples/kubernetes/demo.py]: the demo on the cluster that is
# there, or on a new one: builds the images of the programs and runs it inside.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
shift
. "$here/env.sh"
images=$build/images
"$root/deploy/images.py" --bin "$build/bin" --out "$images" --also echo-server >/dev/null
[[ -e $KRUN/tier ]] || "$here/up.sh" b >&2
"$here/kx" "$root/.cache/test-venv/bin/python" "$root/examples/kubernetes/demo.py" \
  --bin "$build/bin" --images "$images" --containerd "$KRUN/containerd.sock" \
  --kubeconfig "$KRUN/admin.kubeconfig" "$@"
