#pragma once

/// @file
/// What a compiler makes of the plain loop: exp and erfc by glibc's vector library, fp64, no intrinsics. Arrays and
/// nothing else, because the other side is compiled with options of its own.

#include <cstddef>

namespace greekgrid::bench {

/// Contracts at one instant, one value a contract.
struct OptionColumns {
  std::size_t count = 0;
  const double *right = nullptr, *strike = nullptr, *sigma = nullptr, *rate = nullptr, *dividend_yield = nullptr,
               *tau = nullptr, *weight = nullptr;
};

/// Sums of weight x Greek over the contracts, into sums[greek x spots + spot]: delta, gamma, charm.
void libmvec_sums_3(const OptionColumns& options, const double* spot, std::size_t spots, double* sums);
/// Delta, gamma, charm, vanna, speed, zomma, color, vega, vomma, ultima, theta.
void libmvec_sums_11(const OptionColumns& options, const double* spot, std::size_t spots, double* sums);

}  // namespace greekgrid::bench
