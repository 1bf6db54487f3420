#!/bin/sh
# Checks and measures the CUDA backend on a machine with a GPU. Needs nvcc, CMake and g++; none of the project's other
# dependencies. Skips are failures here: without a device it ends with status 1 and the reason.
#
#   scripts/gpu_check.sh [build directory]
#
# Writes bench/results/<device>-<date>.json (GREEKGRID_RESULTS names another directory). GREEKGRID_COMMIT names the commit
# where the sources are no git checkout.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/gpu_check}
results=${GREEKGRID_RESULTS:-$root/bench/results}

if [ -z "${GREEKGRID_COMMIT:-}" ]; then
  GREEKGRID_COMMIT=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
  if [ -n "$(git -C "$root" status --porcelain --untracked-files=no 2>/dev/null || true)" ]; then
    GREEKGRID_COMMIT="$GREEKGRID_COMMIT with changes"
  fi
fi
GREEKGRID_COMMAND=scripts/gpu_check.sh
export GREEKGRID_COMMIT GREEKGRID_COMMAND

cmake -S "$root/kernels/cuda/gpu_check" -B "$build" -DCMAKE_BUILD_TYPE=Release
cmake --build "$build" --parallel "$(nproc)"

mkdir -p "$results"
"$build/gpu_check" --results "$results"

sanitizer=$(command -v compute-sanitizer || true)
for place in /usr/local/cuda/bin/compute-sanitizer /usr/local/cuda/compute-sanitizer/compute-sanitizer; do
  if [ -z "$sanitizer" ] && [ -x "$place" ]; then sanitizer=$place; fi
done
if [ -z "$sanitizer" ]; then
  echo "compute-sanitizer: not on this machine, left out"
  exit 0
fi
for tool in memcheck racecheck initcheck synccheck; do
  echo "compute-sanitizer $tool"
  log=$build/sanitizer-$tool.log
  if "$sanitizer" --tool "$tool" --error-exitcode 1 "$build/gpu_check" --check-only >"$log" 2>&1; then
    tail -n 3 "$log"
  elif grep -q "Device not supported" "$log"; then
    echo "compute-sanitizer: refuses this device (Device not supported), left out"
    exit 0
  else
    tail -n 40 "$log"
    exit 1
  fi
done
