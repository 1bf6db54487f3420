#pragma once

/// @file
/// The issue floor of the CPU backend: how many vector arithmetic instructions one vector of evaluations needs in the
/// contract loop of kernels/cpu/moments.cpp (AffineMoments), by set of Greeks and precision.
///
/// Floor, evaluations/s = vector instructions/s of the core x lanes / instructions. The loop reads broadcasts as memory
/// operands and keeps its sums in registers, so arithmetic is what it must issue. Counted are instructions that
/// compute; loads, broadcasts, moves and spills are not, so a loop that spills falls short of the floor. Left out of
/// the floor too, hence part of the shortfall: spots padded to whole vectors (208 of 201), staging, carrying sums into
/// fp64, combining. A division counts as one instruction although it keeps its port for many cycles: fp64, which
/// divides, cannot reach its floor.
///
/// | stage       | operations                                                             | fp32 | fp64 |
/// |-------------|------------------------------------------------------------------------|------|------|
/// | deviate     | d1: subtract, fma; magnitude: and, minimum                             |    4 |    4 |
/// | exponential | square, 2 fma, subtract; polynomial of 5 or 11 fma; shift, integer add |   11 |   17 |
/// | density 3   | d e; moments of (p, k) = (-1, 0), (0, 1), (1, 0)                       |    4 |    4 |
/// | density 11  | d e, d^2 e, d^3 e, d^4 e; 12 moments                                   |   16 |   16 |
/// | asset       | fp64: subtract, add, divide; 10 or 13 fma; complement, sign, sum       |   13 |   19 |
/// | bond        | d2, magnitude 2, growth 2, minimum; distribution as of the asset       |   19 |   25 |
///
/// scripts/bench_instructions counts the same in the machine code of a build and fails where the two differ.

#include <cstdint>

#include "cpu/moments.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid::bench {

/// Vector instructions for one vector of evaluations of a set of Greeks.
struct InstructionCount {
  GreekSet greeks;
  Precision precision;
  int deviate, exponential, density, asset, bond;

  constexpr int total() const { return deviate + exponential + density + asset + bond; }
  /// Template argument of the loop that evaluates the set.
  constexpr std::uint32_t moments() const { return cpu::needed_moments(greeks); }
};

inline constexpr InstructionCount kInstructionCounts[] = {
    {kGreeks3, Precision::kFp32, 4, 11, 4, 13, 0},
    {kGreeks3, Precision::kFp64, 4, 17, 4, 19, 0},
    {kGreeks11, Precision::kFp32, 4, 11, 16, 13, 19},
    {kGreeks11, Precision::kFp64, 4, 17, 16, 19, 25},
};

/// The row of a set and precision, or nullptr if the table has none.
constexpr const InstructionCount* instruction_count(GreekSet greeks, Precision precision) {
  for (const InstructionCount& row : kInstructionCounts) {
    if (row.greeks == greeks && row.precision == precision) return &row;
  }
  return nullptr;
}

}  // namespace greekgrid::bench
