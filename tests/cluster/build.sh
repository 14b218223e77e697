#!/bin/bash
# build.sh: Kubernetes' own programs, etcd and the pause image, into $KBIN. Built from their modules,
# 5 to 8 minutes on two cores; nothing to do when they are there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"
. "$here/../../tools/again.sh"
version=${KUBE_VERSION:-v1.35.8}
minor=${version#v1.}

mkdir -p "$KBIN"
exec 9>"$KBIN/../build.lock"
flock 9  # two clones share the cache
if [[ ! -f $KBIN/pause.tar ]]; then
  gcc -O2 -static -o "$KBIN/pause" "$here/pause.c"
  "$here/mkimage.py" localhost/pause:3.10 "$KBIN/pause.tar" "$KBIN/pause=/pause"
fi
# VERSION is "<Kubernetes> <Go>", written last; which Go it was does not matter.
[[ $(cut -d' ' -f1 "$KBIN/VERSION" 2>/dev/null) == "$version" ]] && exit 0

toolchain=$("$here/toolchain.sh")
export PATH=$toolchain:$PATH
unset GOROOT
export GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0 GOWORK=off
echo "cluster: building Kubernetes $version with $(go env GOVERSION), once" >&2
mkdir -p "$KBIN/../mod-$version"
cd "$KBIN/../mod-$version"
etcd=go.etcd.io/etcd/server/v3
if [[ ! -f go.mod ]]; then
  (cd / && again go mod download "k8s.io/kubernetes@$version")
  theirs=$(cd / && go mod download -json "k8s.io/kubernetes@$version" |
    sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
  printf 'module kubebin\n\ngo %s\n' "$(awk '$1 == "go" {print $2}' "$theirs")" >go.mod
  go mod edit -require="k8s.io/kubernetes@$version"
  # It requires every staging module at v0.0.0; the published ones carry v0.<minor>.<patch>.
  for module in $(awk '$1 ~ /^k8s\.io\// && $2 == "v0.0.0" {print $1}' "$theirs" | sort -u); do
    go mod edit -replace="$module=$module@v0.$minor"
  done
  go mod edit -require="$etcd@$(awk -v m=$etcd '$1 == m {print $2}' "$theirs")"
fi
programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl)
# All that they are built of, before the first is built.
again go list -deps "${programs[@]/#/k8s.io/kubernetes/cmd/}" "$etcd" >/dev/null
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  flags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
  flags+=" -X $package.gitTreeState=clean -X $package.gitCommit=none"
  flags+=" -X $package.buildDate=1970-01-01T00:00:00Z"
done
# One program at a time: linking several needs more memory than small machines have.
for program in "${programs[@]}"; do
  go build -trimpath -pgo=off -ldflags "$flags" -o "$KBIN/" "k8s.io/kubernetes/cmd/$program"
done
go build -trimpath -pgo=off -ldflags "-s -w" -o "$KBIN/etcd" "$etcd"
echo "$version $(go env GOVERSION)" >"$KBIN/VERSION"
