#!/usr/bin/env bash
# make_answers.sh BUILD: the seeds of fuzz_answer below BUILD/seeds/answer, what honest children answer about small files
# that the program makes. GREEKGRID names the program (default: build/release/greekgrid).
set -euo pipefail
build=$(cd "${1:?build folder}" && pwd)
program=${GREEKGRID:-$(cd "$(dirname "$0")/../.." && pwd)/build/release/greekgrid}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$build/seeds/answer"
cd "$folder"
printf '[scenarios]\nspots = 3\niv_shifts = [0.0]\nsessions = 1\n' > run.toml
"$program" synth --tickers 2 --contracts 60 --seed 1 -o chains.h5 --history history.h5 --sessions 30 > /dev/null
"$program" run chains.h5 -o night.h5 --config run.toml > /dev/null 2>&1
record() { "$build/fuzz_answer" --record "$1" "$2" "$build/seeds/answer/$3"; }
record 0 chains.h5 chains
record 1 history.h5 history
record 2 night.h5 summary
record 3 night.h5 groups
record 3 chains.h5 groups_of_chains
record 4 night.h5 levels
record 5 night.h5 part
record 6 night.h5 schema
