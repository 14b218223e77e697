#!/bin/bash
# net.sh up [anyip] | down: one network namespace with the node's address and a default route that
# leads nowhere. With anyip a process may bind any address of the pods' range, to play one.
set -euo pipefail
. "$(dirname "$0")/env.sh"

case $1 in
up)
  [[ -e /run/netns/$NS ]] || ip netns add "$NS"
  in_ns ip link set lo up
  in_ns ip link show node0 >/dev/null 2>&1 || in_ns ip link add node0 type veth peer name node0p
  in_ns ip link set node0p up
  in_ns ip link set node0 up
  in_ns ip addr replace "$NODE_IP/24" dev node0
  in_ns ip route replace default dev node0  # ClusterIPs need a route before OUTPUT NAT sees them
  in_ns sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
    net.ipv4.conf.default.rp_filter=0
  # What still wants to leave by node0 after NAT has nowhere to go: it fails at once, not after a
  # timeout. OUTPUT sees -o node0 even for a ClusterIP that NAT has sent elsewhere: hence ctstate.
  in_ns iptables -w -C FORWARD -o node0 -j REJECT 2>/dev/null ||
    in_ns iptables -w -A FORWARD -o node0 -j REJECT
  rule=(OUTPUT -o node0 -m conntrack ! --ctstate DNAT -j REJECT)
  in_ns iptables -w -C "${rule[@]}" 2>/dev/null || in_ns iptables -w -A "${rule[@]}"
  [[ ${2:-} == anyip ]] && in_ns ip route replace local "$POD_CIDR" dev lo
  # The machine's own namespace must never send the cluster's traffic to its gateway.
  for range in "$POD_CIDR" "${NODE_IP%.*}.0/24" "$SVC_CIDR"; do
    ip route replace blackhole "$range"
  done
  ;;
down)
  ip netns del "$NS" 2>/dev/null || true
  compgen -G "/run/netns/kube*" >/dev/null && exit 0  # another cluster needs the routes
  for range in "$POD_CIDR" "${NODE_IP%.*}.0/24" "$SVC_CIDR"; do
    ip route del blackhole "$range" 2>/dev/null || true
  done
  ;;
esac
