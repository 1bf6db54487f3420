#pragma once

/// @file
/// Normal distributions about many places: their weighted sum at a point, and what distances weigh. Vectorised
/// (Highway, dispatched at run time), single-threaded, safe to call from any number of threads.

#include <cstddef>
#include <span>

namespace greekgrid {

/// A mixture is padded to a multiple of this with weights of 0.
inline constexpr std::size_t kMixtureMultiple = 8;

/// With u_i = (at - y_i)/bandwidth:
struct MixtureSums {
  double excess = 0.0;   ///< sum w (N(u) - 1/2), absolute error below 1e-15 sum w
  double density = 0.0;  ///< sum w n(u), error below (10 + 4 u^2) 2^-52 of every summand
  double slope = 0.0;    ///< -sum w u n(u), likewise
};
/// @param y (N) any finite numbers @param w (N) weights >= 0 @param bandwidth > 0
MixtureSums normal_mixture(std::span<const double> y, std::span<const double> w, double at, double bandwidth);

/// factor exp(-distance2/(2 h2)) with h2 the largest distance2, or the factor itself where that is below 2^-1000.
/// Relative error below 2^-51.
/// @param distance2 (N) >= 0 @param factor (N) @param weight (N) not overlapping the others
void weigh_by_distance(std::span<const double> distance2, std::span<const double> factor, std::span<double> weight);

}  // namespace greekgrid
