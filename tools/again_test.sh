#!/bin/bash
# again_test.sh: how often `again` tries, how long it waits in between, and what counts.
set -euo pipefail
. "$(dirname "$0")/again.sh"

sleep() { pauses+=" $1"; }
fails() {  # fails <n>: n times, with a status of its own each time
  ((++calls <= $1)) || return 0
  return "$((40 + calls))"
}
expect() {  # expect <failures> <status> <calls> <pauses>
  calls=0 pauses=
  local status=0
  again fails "$1" 2>/dev/null || status=$?
  [[ $status,$calls,$pauses == "$2,$3,$4" ]] && return
  echo "again, $1 failures: got $status,$calls,$pauses, expected $2,$3,$4" >&2
  exit 1
}
expect 0 0 1 ""
expect 1 0 2 " 5"
expect 2 0 3 " 5 20"
expect 3 43 3 " 5 20"
pauses=
said=$(again false 2>&1) && exit 1
[[ $said == "false: exit 1; once more in 5 s"$'\n'"false: exit 1; once more in 20 s" ]]
