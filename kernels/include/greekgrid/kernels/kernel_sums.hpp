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

/// Kernels of an axis below this are dropped.
inline constexpr double kLeastKernel = 1e-9;

/// Values that points may have: what sums of them share is summed once.
inline constexpr std::size_t kKernelValues = 2;

/// Points with a value or two each.
struct KernelPointsView {
  std::array<const double*, kKernelAxes>
      axis{};  ///< (N) in [-1, 1]; null: an axis without values; NaN or beyond: none here
  std::array<const double*, kKernelValues>
      value{};             ///< (N) y; the second null: there is none. A point counts for those of its y that are finite
  std::size_t points = 0;  ///< N, below 2^31
};

/// Sums of k(x) = exp(-x^2/(2 bandwidth^2)) at the nodes of every pair of axes, for each of the values.
///
/// A sum differs from the exact one over the kernels above the least by at most 2e-7 of its
/// size, the squares by 6e-6 of theirs, whatever the instruction set (each summand has one sign): interpolation takes
/// 7e-9 and 5e-6 at a bandwidth of 0.15, less at a larger one, and single precision, in which the kernels of the second
/// axis are kept and the sums written, the rest.
/// @param bandwidth >= 0.15
/// @param sums (value, pair, KernelSum, first axis, second axis): 6 * 4 * 64 * 64 for each value, single precision
void gaussian_pair_sums(const KernelPointsView& points, double bandwidth, std::span<float> sums);

}  // namespace greekgrid
