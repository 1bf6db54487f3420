#pragma once

/// @file
/// Sums of Gaussian kernels over pairs of axes: maps of what is known at points. Vectorised (Highway, dispatched at run
/// time), single-threaded, safe to call from any number of threads.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace greekgrid {

/// Axes of the points.
inline constexpr std::size_t kKernelAxes = 4;
/// Nodes of an axis of kernel sums: g_i = -1 + 2 i/63.
inline constexpr std::size_t kKernelNodes = 64;
/// Pairs of four axes, in the order 01 02 03 12 13 23.
inline constexpr std::size_t kAxisPairs = 6;
/// What is summed for a pair at a node (i, j), with k = k(g_i - a) k(g_j - b): k, k max(y, 0), k max(-y, 0), k^2.
enum class KernelSum : std::uint8_t { kMass, kPositive, kNegative, kSquares };
inline constexpr std::size_t kKernelSums = 4;

/// Points with a value each.
struct KernelPointsView {
  std::array<const double*, kKernelAxes>
      axis{};                     ///< (N) in [-1, 1]; null: an axis without values; NaN or beyond: none here
  const double* value = nullptr;  ///< (N) y; a point whose y is not finite is left out
  std::size_t points = 0;         ///< N
};

/// Sums of k(x) = exp(-x^2/(2 bandwidth^2)) at the nodes of every pair of axes.
///
/// Kernels are evaluated in double, rounded to single precision and dropped below 1e-9; sums are single precision in
/// blocks of 96 points. A sum differs from the exact one over the kernels above 1e-9 by at most
/// (96 + N/96 + 4) 2^-24 of its size (each summand has one sign), whatever the instruction set.
/// @param sums (pair, KernelSum, first axis, second axis): 6 * 4 * 64 * 64, single precision
void gaussian_pair_sums(const KernelPointsView& points, double bandwidth, std::span<float> sums);

}  // namespace greekgrid
