#!/bin/bash
# run_api.sh <build folder> [pytest options]: what needs a real API server, against a fresh one
# of its own: the client, wakes, faults, then the API's contract, which the laptop's server keeps too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "$1" && pwd)
shift
export NS=kube-api KRUN=/run/kube-api KVAR=/var/lib/kube-api
. "$here/env.sh"

"$here/build.sh"
exec 8>/run/kube-api.lock
flock 8  # one at a time on a machine
[[ ! -e $KRUN ]] || "$here/down.sh"  # of a run that was killed
trap '"$here/down.sh"' EXIT
"$here/up.sh" a 8>&- >&2

in_namespace() {
  in_ns env PILOTLIGHT_BIN="$build/bin" PYTHONDONTWRITEBYTECODE=1 NO_PROXY='*' "$@" 8>&-
}
tests() {
  in_namespace "$root/.cache/test-venv/bin/python" -m pytest -q -p no:cacheprovider --timeout=300 "$@"
}
in_namespace "$build/tests/cluster/kube_cluster_test" --gtest_brief=1
tests "$here/api" "$@"
(($# == 0)) || exit 0  # some of them were asked for
# By now the server has been started anew by a test, so that its watches have a past.
PILOTLIGHT_CONTRACT_KUBECONFIG=$KRUN/admin.kubeconfig tests "$root/tests/contract" "$@"
