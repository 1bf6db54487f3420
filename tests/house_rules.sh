#!/usr/bin/env bash
# Checks the rules of the house that a text search can check, one line per offence; exit 1 if there is any.
#   tests/house_rules.sh [ROOT]      the source tree, default the one this script stands in
#   tests/house_rules.sh --self-test breaks every rule on purpose in a scratch tree and sees it reported
set -euo pipefail
export LC_ALL=C

# offence RULE: reports the lines of standard input, each `file:line: text`, under a rule.
offence() {
  local line
  while IFS= read -r line; do
    echo "house rule: $1: $line"
    found=1
  done
}

# files PATTERN...: the files of the tree, tracked or about to be, that match git's patterns.
files() {
  local file
  git -C "$root" ls-files --cached --others --exclude-standard -- "$@" 2> /dev/null | while IFS= read -r file; do
    if [[ -f $root/$file ]]; then echo "$file"; fi
  done
}

# search REGEX PATTERN...: extended regular expression, `file:line:text` for every hit in the files of the patterns.
search() {
  local regex=$1
  shift
  files "$@" | (cd "$root" && xargs -r -d '\n' grep -nHE -- "$regex") || true
}

# code: drops the hits of lines that are a // comment.
code() { grep -vE '^[^:]*:[0-9]+:[[:space:]]*//' || true; }
# outside REGEX: drops hits in files whose path matches.
outside() { grep -vE "^($1)" || true; }

check() {
  root=$1
  found=0
  local formulas=':(glob)kernels/include/greekgrid/kernels/formulas/*.hpp'
  local cpp=('*.hpp' '*.cpp' '*.cu' '*.cuh')

  # One truth per formula, the same on every device.
  offence 'formulas call no std:: function and branch by none (use greekgrid::math)' \
    < <(search '\bstd::|[^:[:alnum:]_]::[a-z0-9]+\(' "$formulas" | code)
  offence 'formulas include only host_device, scalar_math, greek and each other' \
    < <(search '^[[:space:]]*#[[:space:]]*include' "$formulas" \
      | grep -vE '#include "greekgrid/kernels/(host_device|scalar_math|greek|formulas/[a-z_]+)\.hpp"' || true)

  # Each outside library in its own folder.
  offence 'CUDA stands in kernels/cuda and its tests alone' \
    < <(search '\bcuda[A-Z][A-Za-z]+[[:space:]]*\(|#include <(cuda|cub|thrust|cublas)|<<<[^<]|\b__global__\b' "${cpp[@]}" \
      | code | outside 'kernels/cuda/|tests/kernels/cuda/')
  offence 'HDF5 stands in io/hdf5, its tests and the examples alone' \
    < <(search '\bH5[A-Z]{1,2}[a-z][a-z0-9_]*[[:space:]]*\(|#include <hdf5' "${cpp[@]}" | code | outside 'io/hdf5/|tests/(io|fuzz)/hdf5/|examples/')

  # Dependencies point down only: kernels <- scenarios <- host <- io.
  local above=io room
  for room in host scenarios kernels; do
    offence "no upward include: $room includes nothing of $above" \
      < <(search "^[[:space:]]*#[[:space:]]*include.*greekgrid/($above)/" "$room/*")
    above="$above|$room"
  done
  offence 'no upward include: the product includes nothing of its tests' \
    < <(search '^[[:space:]]*#[[:space:]]*include.*greekgrid_test/' 'kernels/*' 'scenarios/*' 'host/*' 'io/*')

  # Names.
  offence 'a file is named by its subject (not fast, optimized, new, util, helper, manager)' \
    < <(files | grep -iE '(^|[/_.-])(fast|optimi[sz]ed|new|utils?|utilities|helpers?|managers?)([/_.-]|$)' || true)

  # The repository speaks of the product, and of no machine it was made on. A program's place in a distribution is no such
  # thing, nor is the temporary directory.
  offence 'no absolute path of one machine' \
    < <(search '(^|[^[:alnum:]_./}*-])/(home|root|work|mnt|Users)/[[:alnum:]_]' | outside 'tests/house_rules\.sh:')
  offence 'no word of a workplace (a session is a trading session, an issue is of a share or an instruction)' \
    < <(search '\b([Hh]elpers?|[Tt]his (session|task)|[Ww]orktrees?|[Ww]orkplaces?|(this|see|see the|open|known) issues?|[Ii]ssue #?[0-9]+)\b' \
      | outside 'tests/house_rules\.sh:')

  # Headers and scripts.
  local file
  while IFS= read -r file; do
    grep -qE '^#pragma once' "$root/$file" || offence 'a header has #pragma once' <<< "$file"
    grep -qE '^/// @file' "$root/$file" || offence 'a header says what it is under @file' <<< "$file"
  done < <(files '*.hpp' '*.cuh')
  while IFS= read -r file; do
    if [[ $(head -c 2 "$root/$file" | tr -d '\0') == '#!' && ! -x $root/$file ]]; then
      offence 'a script is executable' <<< "$file"
    fi
  done < <(files)
  while IFS= read -r file; do
    [[ $(head -c 2 "$root/$file" | tr -d '\0') == '#!' ]] || offence 'a script names its interpreter' <<< "$file"
  done < <(files 'scripts/*' '*.sh' '.ci/*')
  return "$found"
}

# broken RULE FILE TEXT [MODE]: a tree that holds only that file must be refused, and for that rule alone.
broken() {
  local report
  rm -rf "${scratch:?}"/*
  mkdir -p "$scratch/$(dirname "$2")"
  printf '%b' "$3" > "$scratch/$2"
  chmod "${4:-644}" "$scratch/$2"
  if report=$(check "$scratch"); then
    echo "self-test: nothing found against '$1' in $2"
    failed=1
  elif [[ $report != *"$1"* || $(grep -c '' <<< "$report") -ne 1 ]]; then
    printf "self-test: wanted '%s' alone, got\n%s\n" "$1" "$report"
    failed=1
  fi
}

self_test() {
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  git -C "$scratch" init -q
  failed=0
  local head='#pragma once\n/// @file\n' formulas=kernels/include/greekgrid/kernels/formulas
  broken 'formulas call no std::' $formulas/a.hpp "${head}double f(double x) { return std::exp(x); }\n"
  broken 'formulas call no std::' $formulas/a.hpp "${head}double f(double x) { return ::exp(x); }\n"
  broken 'formulas call no std::' $formulas/a.hpp "${head}double f(double x) { return std::isnan(x) ? 0 : x; }\n"
  broken 'formulas include only' $formulas/a.hpp "${head}#include <algorithm>\n"
  broken 'formulas include only' $formulas/a.hpp "${head}#include \"greekgrid/kernels/views.hpp\"\n"
  broken 'CUDA stands in' host/a.cpp 'void f() { cudaFree(nullptr); }\n'
  broken 'CUDA stands in' kernels/cpu/a.cpp '#include <thrust/sort.h>\n'
  broken 'HDF5 stands in' io/cli/a.cpp 'void f() { H5Fopen("a", 0, 0); }\n'
  broken 'HDF5 stands in' tests/io/a.cpp '#include <hdf5.h>\n'
  broken 'kernels includes nothing' kernels/a.cpp '#include "greekgrid/scenarios/a.hpp"\n'
  broken 'scenarios includes nothing' scenarios/a.cpp '#include "greekgrid/host/a.hpp"\n'
  broken 'host includes nothing' host/a.cpp '#include "greekgrid/io/a.hpp"\n'
  broken 'nothing of its tests' io/a.cpp '#include "greekgrid_test/a.hpp"\n'
  local word
  for word in fast optimized new util helper manager; do
    broken 'named by its subject' "host/${word}_path.cpp" '\n'
  done
  broken 'no absolute path' README.md 'see /home/someone/greekgrid\n'
  broken 'no absolute path' CMakeLists.txt 'set(data "/home/data")\n'
  broken 'no word of a workplace' README.md 'Written in this session.\n'
  broken 'no word of a workplace' host/a.cpp '// the helper did this\n'
  broken 'no word of a workplace' host/a.cpp '// see iss''ue 12\n'
  broken 'has #pragma once' host/a.hpp '/// @file\n'
  broken 'under @file' host/a.hpp '#pragma once\n'
  broken 'script is executable' tests/a.sh '#!/bin/sh\n'
  broken 'script is executable' scripts/a '#!/bin/sh\n'
  broken 'names its interpreter' tests/a.sh 'true\n'
  rm -rf "${scratch:?}"/*
  mkdir -p "$scratch/host"
  printf '#pragma once\n/// @file\n/// A trading session; see cudaMalloc() and H5Fopen() in their folders.\n' > "$scratch/host/a.hpp"
  check "$scratch" || { echo 'self-test: a clean tree was refused'; failed=1; }
  if [[ $failed -eq 0 ]]; then echo 'self-test: every rule can fail'; fi
  return "$failed"
}

if [[ ${1:-} == --self-test ]]; then
  self_test
else
  tree=${1:-$(cd "$(dirname "$0")/.." && pwd)}
  if ! git -C "$tree" rev-parse --git-dir > /dev/null 2>&1; then
    echo "skipped: $tree is no git checkout (the rules are about what git tracks)"
    exit 77
  fi
  check "$tree"
fi
