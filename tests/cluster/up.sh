#!/bin/bash
# up.sh a|b: starts a cluster and waits until it serves.
#   a: etcd, kube-apiserver, kube-controller-manager; no pod runs (4 to 6 s)
#   b: the whole node: scheduler, containerd, kubelet and kube-proxy too (5 to 8 s)
# Everything lives in the network namespace $NS and in one private mount namespace.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"
tier=$1
pki=$KRUN/pki
case $tier in
a) parts=" etcd apiserver kcm " ;;
b) parts=" etcd apiserver kcm scheduler containerd kubelet proxy " ;;
*) die "up: got $tier, expected a or b" ;;
esac
has() { [[ $parts == *" $1 "* ]]; }

# A machine is one node at a time: the kubelet's cgroups have the same names for everybody.
claim_node() {
  local group
  until claim; do
    ((SECONDS < 600)) ||
      give_up "another node runs on this machine: $holder (NS=${holder##*/} ./dev cluster down)"
    ((SECONDS > 1)) || echo "waiting for the node of $holder to end" >&2
    sleep 1
  done
  for group in /sys/fs/cgroup/{,memory/}kubepods; do
    [[ ! -e $group ]] || { rm "$node_claim"; give_up "another kubelet runs here: it has $group"; }
  done
}
claim() {  # whether the machine is ours; else $holder has it
  exec 7>"$node_claim.lock"
  flock 7
  holder=$(readlink "$node_claim" || true)
  [[ -e $holder/tier ]] || ln -sfnT "$KRUN" "$node_claim"  # nobody's, or of one that was killed
  exec 7>&-
  [[ $(readlink "$node_claim") == "$KRUN" ]]
}
give_up() { rm -rf "$KRUN" "$KVAR"; die "$@"; }

if [[ ${INSIDE:-} != 1 ]]; then
  ((EUID == 0)) || die "a cluster needs root: network namespaces, mounts and cgroups"
  [[ ! -e $KRUN/tier ]] || die "there is one already in $KRUN (./dev cluster down ends it)"
  mkdir -p "$KRUN/log" "$KRUN/pid" "$KVAR"
  echo "$tier" >"$KRUN/tier"
  if has kubelet; then claim_node; fi
  "$here/certs.sh"
  "$here/conf.sh"
  "$here/net.sh" up "$([[ $tier == a ]] && echo anyip)"
  if has kubelet; then
    for name in fs/inotify/max_user_instances vm/overcommit_memory kernel/panic kernel/panic_on_oops; do
      echo "$name $(cat "/proc/sys/$name")"
    done >"$KRUN/sysctl.saved"
    sysctl -qw fs.inotify.max_user_instances=1024  # 128 is too few for a kubelet and its pods
  fi
  INSIDE=1 exec nsenter --net="/run/netns/$NS" unshare -m --propagation slave -- bash "$here/up.sh" "$@"
fi
mount --make-rshared /
mount -t tmpfs -o mode=755 none /run/netns  # pods' namespaces vanish with this mount namespace
mount --bind "$KRUN/resolv.conf" /etc/resolv.conf

begun=$(date +%s%N)
say() { echo "$((($(date +%s%N) - begun) / 1000000)) ms: $*"; }

bg() {  # bg <part> <command>...
  local part=$1
  shift
  setsid "$@" >"$KRUN/log/$part.log" 2>&1 </dev/null &
  echo $! >"$KRUN/pid/$part"
}

wait_for() {  # wait_for <part> <seconds> <command>...: until it succeeds
  local part=$1 end=$((SECONDS + $2))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)) || ! kill -0 "$(cat "$KRUN/pid/$part")" 2>/dev/null; then
      tail -20 "$KRUN/log/$part.log" >&2
      die "$part did not come up; $KRUN/log/$part.log has more"
    fi
    sleep 0.1
  done
  say "$part"
}

k() { kubectl --kubeconfig "$KRUN/admin.kubeconfig" "$@"; }
images() { ctr -a "$KRUN/containerd.sock" -n k8s.io images "$@"; }
node_ready() { k get node $NODE -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True; }
api_ready() {
  curl --noproxy '*' -sf --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
    "https://$NODE_IP:6443/readyz"
}

if has containerd; then bg containerd containerd --config "$KRUN/containerd.toml"; fi
bg etcd etcd --data-dir "$KVAR/etcd" \
  --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
  --initial-cluster default=http://127.0.0.1:2380 --unsafe-no-fsync --snapshot-count 10000 \
  --quota-backend-bytes 4294967296 --log-level warn
wait_for etcd 60 curl --noproxy '*' -sf http://127.0.0.1:2379/health
bg apiserver "$here/apiserver.sh"
wait_for apiserver 120 api_ready
bg kcm kube-controller-manager --kubeconfig "$KRUN/controller-manager.kubeconfig" \
  --authentication-kubeconfig "$KRUN/controller-manager.kubeconfig" \
  --authorization-kubeconfig "$KRUN/controller-manager.kubeconfig" \
  --use-service-account-credentials=true --service-account-private-key-file "$pki/sa.key" \
  --root-ca-file "$pki/ca.crt" --cluster-signing-cert-file "$pki/ca.crt" \
  --cluster-signing-key-file "$pki/ca.key" --service-cluster-ip-range $SVC_CIDR \
  --cluster-cidr $POD_CIDR --allocate-node-cidrs=false --leader-elect=false \
  --bind-address 127.0.0.1 --kube-api-qps 100 --kube-api-burst 200
if has scheduler; then
  bg scheduler kube-scheduler --kubeconfig "$KRUN/scheduler.kubeconfig" \
    --authentication-kubeconfig "$KRUN/scheduler.kubeconfig" \
    --authorization-kubeconfig "$KRUN/scheduler.kubeconfig" --leader-elect=false \
    --bind-address 127.0.0.1
fi
if has containerd; then
  wait_for containerd 60 ctr -a "$KRUN/containerd.sock" version
  images import "$KBIN/pause.tar" >/dev/null
  images label localhost/pause:3.10 io.cri-containerd.pinned=pinned >/dev/null
fi
if has kubelet; then
  bg kubelet kubelet --config "$KRUN/kubelet.yaml" --kubeconfig "$KRUN/kubelet.kubeconfig" \
    --hostname-override $NODE --node-ip $NODE_IP --root-dir "$KVAR/kubelet" \
    --cert-dir "$KVAR/kubelet-pki" --v=2
  wait_for kubelet 120 node_ready
fi
if has proxy; then
  bg proxy kube-proxy --config "$KRUN/proxy.yaml"
  wait_for proxy 60 curl --noproxy '*' -sf http://127.0.0.1:10256/livez
fi
wait_for kcm 60 k -n default get serviceaccount default
say "up: KUBECONFIG=$KRUN/admin.kubeconfig, inside the namespace (./dev cluster exec)"
