#!/bin/bash
# run_fuzz.sh <fuzz target> <corpus folder>: the same million runs each time, so that the verdict on
# a commit is no luck: half a minute on a quiet core, and cut off after four.
# PILOTLIGHT_FUZZ_SECONDS=600 run_fuzz.sh ...: a search, from another seed each time, for so long.
#
# The corpus is read, never written: what a run finds goes to a temporary folder. A crashing input
# is kept in the current folder (ctest's), and its name is in the output.
set -euo pipefail

target=$(realpath "$1")
corpus=$2
if [[ ! -d $corpus ]]; then
  echo "run_fuzz.sh: $corpus: no such folder; a fuzz target starts from a corpus" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/found"
cp -r "$corpus" "$work/corpus"
ln -s "$target" "$work/target"
ln -s "$PWD" "$work/kept"
cd "$work"

command=(./target found -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
  -artifact_prefix="kept/$(basename "$target")-")
if [[ -n ${PILOTLIGHT_FUZZ_SECONDS:-} ]]; then
  "${command[@]}" corpus -max_total_time="$PILOTLIGHT_FUZZ_SECONDS"
  exit
fi
# Each of these would be a die besides the seed: the order of a folder's entries, looks into `found` by
# the clock, where things are in memory, and the length of arguments and environment, by which the
# stack is aligned and so its depth, which libFuzzer counts as coverage.
seeds=$(find corpus -type f | LC_ALL=C sort | paste -sd,)
same=(env -i PATH=/usr/bin:/bin)
if setarch -R true 2>/dev/null; then same+=(setarch -R); fi  # some containers forbid it
"${same[@]}" "${command[@]}" -seed_inputs="$seeds" -seed=1 -runs=1000000 -reload=0 \
  -max_total_time=240
