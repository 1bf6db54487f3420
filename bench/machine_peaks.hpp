#pragma once

/// @file
/// What this core can do, measured in the same run as what we make of it.

#include <cstddef>

namespace greekgrid::bench {

/// Lanes of an fp32 vector of the instruction set in use.
std::size_t lanes_fp32();
std::size_t lanes_fp64();
/// Runs `count` times 16 independent vector fused multiply-adds (fp32 lanes); returns a value that depends on all of
/// them.
float run_fma_fp32(std::size_t count);
double run_fma_fp64(std::size_t count);
/// Runs `count` times 16 independent vector operations of the kinds that the inner loop mixes (multiply-add, integer
/// add, shift, minimum) and returns a value that depends on all of them: the rate at which vector instructions issue.
float run_issue_fp32(std::size_t count);

}  // namespace greekgrid::bench
