#!/usr/bin/env bash
# run.sh [SECONDS]: builds the fuzz targets with clang and runs each of them for a while (10 s), from the committed corpus
# and made seeds. SECONDS 0: builds alone. Exit 77: skipped.
# A finding is left beside the corpus as crash-*, and the run fails.
set -euo pipefail
seconds=${1:-10}
here=$(cd "$(dirname "$0")" && pwd)
build=${GREEKGRID_FUZZ_BUILD:-$here/../../build/fuzz}

clang=$(command -v clang++-14 || command -v clang++ || true)
if [[ -z $clang ]]; then
  echo "skipped: no clang++ (libFuzzer is part of it) install clang-14 and libclang-rt-14-dev"
  exit 77
fi
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' > "$probe/probe.cpp"
if ! "$clang" -fsanitize=fuzzer,address "$probe/probe.cpp" -o "$probe/probe" > "$probe/log" 2>&1; then
  echo "skipped: $clang has no libFuzzer (its run-time library is missing) install libclang-rt-14-dev"
  exit 77
fi

cmake -S "$here" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER="${clang/clang++/clang}" \
  -DCMAKE_CXX_COMPILER="$clang" > "$build.log" 2>&1 || { cat "$build.log"; exit 1; }
cmake --build "$build" --parallel 2
"$here/make_seeds.sh" "$build/seeds"
if [[ $seconds -eq 0 ]]; then exit 0; fi
for format in cboe_csv cboe_json occ_json table profile gzip zip config rate_curve history ranking corrections symbol greeks \
  open_interest answer; do
  corpus=$build/corpus/$format
  mkdir -p "$corpus" "$build/seeds/$format" "$here/corpus/$format"
  echo "== $format, $seconds s"
  (cd "$build" && ./fuzz_$format -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
    -close_fd_mask=1 -print_final_stats=1 -artifact_prefix="$build/$format-" "$corpus" "$build/seeds/$format" "$here/corpus/$format" 2>&1 | tail -n 12)
done
