#!/bin/bash
# bench.sh <build folder> [options of bench/node.py]: cold starts on a node of its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
shift
export NS=${NS:-kube-bench}
. "$here/env.sh"
[[ ! -e $KRUN ]] || "$here/down.sh"
trap '"$here/down.sh"' EXIT
"$here/up.sh" b >&2
images=$build/images
"$root/deploy/images.py" --bin "$build/bin" --out "$images" --also echo-server >/dev/null
"$here/kx" env KRUN="$KRUN" "$root/.cache/test-venv/bin/python" "$root/bench/node.py" \
  --bin "$build/bin" --images "$images" --kubeconfig "$KRUN/admin.kubeconfig" "$@"
