# Sourced by scripts that fetch from a network.

# again <command>...: up to three times, since a connection that breaks is no verdict. The command must
# be safe to repeat; what its last attempt ended with counts.
again() {
  local pause status
  for pause in 5 20; do
    status=0
    "$@" || status=$?
    ((status)) || return 0
    printf '%s: exit %d; once more in %d s\n' "$*" "$status" "$pause" >&2
    sleep "$pause"
  done
  "$@"
}
