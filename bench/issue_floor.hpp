#pragma once

/// @file
/// The rate at which this core issues vector instructions, and what brute force could make of it at most.

#include <algorithm>
#include <cstddef>

#include "instruction_counts.hpp"
#include "machine_peaks.hpp"
#include "turns.hpp"

namespace greekgrid::bench {

/// Vector instructions/s of the loops of machine_peaks.hpp, each the best of several short runs, by the
/// processor's clock: a busy machine must not make our shares of the floor look better.
struct MachinePeaks {
  double fma_fp32 = 0.0, fma_fp64 = 0.0, issue_fp32 = 0.0;
  double best() const { return std::max({fma_fp32, fma_fp64, issue_fp32}); }
};

/// Measured once a process. The best of all: a share of the floor then errs low.
inline const MachinePeaks& machine_peaks() {
  static const MachinePeaks peaks = [] {
    MachinePeaks best;
    constexpr std::size_t kCount = 400000;
    const auto measure = [](const auto& run, double& rate) {
      const double begin = processor_now();
      [[maybe_unused]] const volatile auto kept = run(kCount);
      const double seconds = processor_now() - begin;
      rate = std::max(rate, 16.0 * static_cast<double>(kCount) / seconds);
    };
    for (int round = 0; round < 20; ++round) {
      measure(run_fma_fp32, best.fma_fp32);
      measure(run_fma_fp64, best.fma_fp64);
      measure(run_issue_fp32, best.issue_fp32);
    }
    return best;
  }();
  return peaks;
}

/// Evaluations/s that the core could issue at most by brute force, or 0 where no instructions were counted.
inline double floor_evaluations_per_second(GreekSet greeks, Precision precision) {
  const InstructionCount* count = instruction_count(greeks, precision);
  if (count == nullptr) return 0.0;
  const auto lanes = static_cast<double>(precision == Precision::kFp32 ? lanes_fp32() : lanes_fp64());
  return machine_peaks().best() * lanes / count->total();
}

}  // namespace greekgrid::bench
