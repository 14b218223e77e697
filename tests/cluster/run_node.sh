#!/bin/bash
# run_node.sh <build folder> [pytest options]: a whole node of its own: brings it up, runs a pod, tells
# what that costs without us, then tests/cluster/node, and takes everything away again.
# PREVIOUS names the revision that the upgrade begins with. PILOTLIGHT_NODE_ROUNDS=2 makes the longest test short.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
shift
export NS=${NS:-kube-node}
. "$here/env.sh"
"$here/build.sh"
previous=$("$here/previous.sh" "$(cat "$here/PREVIOUS")")
[[ ! -e $KRUN ]] || "$here/down.sh"
trap '"$here/down.sh"' EXIT
"$here/up.sh" b
k() { "$here/kx" kubectl "$@"; }
now() { echo $(($(date +%s%N) / 1000000)); }

k create -f - <<'TEXT' >/dev/null
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: idle, image: "localhost/pause:3.10", imagePullPolicy: Never}]
TEXT
for step in 0:1 1:3; do
  begun=$(now)
  k scale deployment idle --replicas="${step#*:}" >/dev/null
  k rollout status deployment idle --timeout=60s >/dev/null
  echo "node: ${step%:*} to ${step#*:} replicas ready in $(($(now) - begun)) ms"
done
k scale deployment idle --replicas=0 >/dev/null
k wait --for=delete pod -l app=idle --timeout=60s >/dev/null

images=$build/images
"$root/deploy/images.py" --bin "$build/bin" --out "$images" --also echo-server >/dev/null
"$here/kx" env PILOTLIGHT_IMAGES="$images" PILOTLIGHT_PREVIOUS="$previous" \
  PILOTLIGHT_CLI="$build/bin/pilotlight" PYTHONDONTWRITEBYTECODE=1 KRUN="$KRUN" \
  "$root/.cache/test-venv/bin/python" -m pytest -q -s -p no:cacheprovider --timeout=1200 \
  "$here/node" "$@"
