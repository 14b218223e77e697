#!/bin/bash
# run_demo.sh <build folder>: the demo once, on a node of its own that is gone afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export NS=kube-demo KRUN=/run/kube-demo KVAR=/var/lib/kube-demo
. "$here/env.sh"
"$here/build.sh"
exec 8>/run/kube-demo.lock
flock 8  # one at a time on a machine
[[ ! -e $KRUN ]] || "$here/down.sh"  # of a run that was killed
trap '"$here/down.sh"' EXIT
"$here/demo.sh" "$1" 8>&-
