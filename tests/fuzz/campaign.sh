#!/usr/bin/env bash
# campaign.sh SECONDS [TARGET...]: runs every fuzz target for so long, two at a time, and writes a table of what was
# executed to build/fuzz/campaign.md. Build them with run.sh first. Exit 1: a finding, left as build/fuzz/TARGET-*.
#   GREEKGRID_FUZZ_FORKED: a folder with chain_file_fuzz, history_file_fuzz and night_file_fuzz (configured by
#   -DGREEKGRID_FUZZ=ON), which run through the child process and take the sample files beside them as seeds
set -euo pipefail
seconds=${1:?seconds per target}
shift
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${GREEKGRID_FUZZ_BUILD:-$here/../../build/fuzz}" && pwd)
forked=${GREEKGRID_FUZZ_FORKED:-}
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
  targets=(cboe_csv cboe_json occ_json table profile gzip zip config rate_curve history ranking corrections symbol greeks open_interest answer)
  if [[ -n $forked ]]; then targets+=(chain_file history_file night_file); fi
fi
mkdir -p "$build/campaign"
"$here/make_seeds.sh" "$build/seeds"
"$here/make_answers.sh" "$build" || echo "no answers of children as seeds (h5 files are missing): the committed corpus alone"

campaign_target() {
  local target=$1 program=$build/fuzz_$1 corpus=$build/corpus/$1 log=$build/campaign/$1.log seeds=() most=16384
  if [[ ! -x $program && -n $forked ]]; then
    program=$forked/${target}_fuzz most=262144
    seeds=("$forked/../samples")
  fi
  mkdir -p "$corpus"
  for folder in "$here/corpus/$target" "$build/seeds/$target"; do
    if [[ -d $folder ]]; then seeds+=("$folder"); fi
  done
  ASAN_OPTIONS=handle_abort=0:detect_leaks=0 nice -n "${GREEKGRID_FUZZ_NICE:-19}" "$program" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 \
    -max_len=$most -close_fd_mask=1 -print_final_stats=1 -artifact_prefix="$build/$target-" "$corpus" "${seeds[@]}" > "$log" 2>&1 || echo "finding::$?" >> "$log"
}
export -f campaign_target
export build here forked seconds
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -c 'campaign_target {}'

found=0 total=0
{
  echo '| target | executions | a second | corpus, files | corpus, bytes | peak memory, MiB | findings |'
  echo '|---|---:|---:|---:|---:|---:|---:|'
  for target in "${targets[@]}"; do
    log=$build/campaign/$target.log
    stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -n 1; }
    executed=$(stat number_of_executed_units)
    # By how the fuzzer ended: a child process that the library takes down may leave a file too, and that is no finding.
    crashes=$(grep -c '^finding::' "$log" || true)
    echo "| $target | ${executed:-none} | $(stat average_exec_per_sec) | $(find "$build/corpus/$target" -type f | wc -l) |" \
      "$(find "$build/corpus/$target" -type f -printf '%s\n' | awk '{s += $1} END {print s + 0}') | $(stat peak_rss_mb) | $crashes |"
    total=$((total + ${executed:-0})) found=$((found + crashes))
  done
  echo "| all | $total | | | | | $found |"
} > "$build/campaign.md"
cat "$build/campaign.md"
[[ $found -eq 0 ]]
