#!/bin/bash
# down.sh: ends what up.sh started, by pid; removes pods, cgroups, the namespace and all state.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/env.sh"

stop() {  # stop <part>...: politely, and after 5 s not
  local part pid
  for part; do
    pid=$(cat "$KRUN/pid/$part" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null
    rm -f "$KRUN/pid/$part"
  done
}

end_pods() {
  local file pid process
  for file in $(find /sys/fs/cgroup/memory/kubepods* /sys/fs/cgroup/kubepods* -name cgroup.procs 2>/dev/null); do
    while read -r pid; do kill -9 "$pid" 2>/dev/null; done <"$file"
  done
  for process in /proc/[0-9]*; do  # our shims: their command line names our socket
    { tr '\0' ' ' <"$process/cmdline"; } 2>/dev/null |
      grep -q "^[^ ]*containerd-shim-runc-v2 .*-address $KRUN/containerd.sock" &&
      kill -9 "${process#/proc/}" 2>/dev/null
  done
}

is_node() { [[ $(readlink "$node_claim") == "$KRUN" ]]; }  # not one that still waits to be

stop kubelet proxy scheduler kcm
is_node && end_pods
stop containerd apiserver etcd
if is_node; then
  for _ in $(seq 50); do  # until the last process of a pod is gone
    left=
    for group in /sys/fs/cgroup/*/kubepods* /sys/fs/cgroup/kubepods*; do
      [[ -d $group ]] || continue
      find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
      [[ ! -d $group ]] || left=1
    done
    [[ $left ]] || break
    sleep 0.1
  done
  while read -r name value; do echo "$value" >"/proc/sys/$name"; done 2>/dev/null <"$KRUN/sysctl.saved"
fi
"$here/net.sh" down
for mount in $(awk -v a="$KVAR/" -v b="$KRUN/" 'index($5, a) == 1 || index($5, b) == 1 {print $5}' \
  /proc/self/mountinfo | sort -r); do
  umount -l "$mount"
done
rm -rf --one-file-system "$KRUN" "$KVAR"
is_node && rm -f "$node_claim"
exit 0
