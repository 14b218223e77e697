#!/bin/bash
# run_fuzz.sh <fuzz target> <corpus folder>: runs the target for PILOTLIGHT_FUZZ_SECONDS (30).
#
# The corpus is read, never written: what a run finds goes to a temporary folder. A crashing input
# is kept in the current folder (ctest's), and its name is in the output.
set -euo pipefail

target=$1
corpus=$2
seconds=${PILOTLIGHT_FUZZ_SECONDS:-30}

if [[ ! -d $corpus ]]; then
  echo "run_fuzz.sh: $corpus: no such folder; a fuzz target starts from a corpus" >&2
  exit 1
fi
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT

"$target" "$found" "$corpus" \
  -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
  -artifact_prefix="$PWD/$(basename "$target")-"
