# Sourced by every script here: where things are, and the addresses of the cluster.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pilotlight/kube
export KBIN=${KBIN:-$cache/bin}     # Kubernetes' programs, made by build.sh
export NS=${NS:-kube}               # network namespace of the whole cluster
export KRUN=${KRUN:-/run/$NS}       # sockets, pids, certificates, kubeconfigs, logs
export KVAR=${KVAR:-/var/lib/$NS}   # etcd's data, containers, the kubelet's folder
export node_claim=/run/pilotlight-node  # leads to the $KRUN of the node that this machine is
export NODE=node1 NODE_IP=10.89.0.1
export POD_CIDR=10.89.128.0/17 SVC_CIDR=10.96.0.0/16 API_IP=10.96.0.1 DOMAIN=cluster.local
export PATH=$KBIN:$PATH:/usr/local/sbin:/usr/sbin:/sbin

in_ns() { nsenter --net="/run/netns/$NS" "$@"; }
die() { echo "cluster: $*" >&2; exit 1; }
