#pragma once

/// @file
/// The points nearest to a place, and sums of Gaussian kernels over pairs of axes: what forecasts from a past are made
/// of. Vectorised (Highway, dispatched at run time), single-threaded, safe to call from any number of threads.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace greekgrid {

/// Axes that a point may have.
inline constexpr std::size_t kMostAxes = 4;
/// Points that one search may ask for.
inline constexpr std::size_t kMostNearest = 64;

/// Points by column.
struct PointsView {
  std::array<const double*, kMostAxes> axis{};  ///< (N) each, the first `axes` are read; NaN leaves the point out
  std::size_t axes = 0;                         ///< 1 to 4
  const double* required = nullptr;             ///< (N) or null; a point whose value here is not finite is left out
  std::size_t points = 0;                       ///< N, below 2^31
};

/// What a search is asked for.
enum class NearestAnswer : std::uint8_t {
  kOrderAndCount,  ///< the points nearest first; returns the number M of points that were not left out
  kPoints,         ///< the points in an order that only the arguments determine; returns min(K, M)
};

/// The points with the smallest squared distance to a place, by (distance^2, then larger index).
///
/// distance^2 = ((d0^2 + d1^2) + d2^2) + d3^2 in double, each operation rounded and none fused, so every instruction
/// set finds the same points and the same bits.
/// @param at        (axes) the place
/// @param index     (K) of the points found, K <= kMostNearest
/// @param distance2 (K)
/// @return as `answer` says; the first min(K, M) entries are written
std::size_t nearest(const PointsView& points, std::span<const double> at, std::span<std::int32_t> index,
                    std::span<double> distance2, NearestAnswer answer);

/// The order that sorts up to kMostNearest distinct keys, none of them the largest std::int32_t: order[0] is the place
/// of the smallest. By counting, so that the time does not depend on the keys.
void ascending_order(std::span<const std::int32_t> key, std::span<std::uint8_t> order);

/// Nodes of an axis of kernel sums: g_i = -1 + 2 i/63.
inline constexpr std::size_t kKernelNodes = 64;
/// Pairs of four axes, in the order 01 02 03 12 13 23.
inline constexpr std::size_t kAxisPairs = 6;
/// What is summed for a pair at a node (i, j), with k = k(g_i - a) k(g_j - b): k, k max(y, 0), k max(-y, 0), k^2.
enum class KernelSum : std::uint8_t { kMass, kPositive, kNegative, kSquares };
inline constexpr std::size_t kKernelSums = 4;

/// Points with a value each.
struct KernelPointsView {
  std::array<const double*, kMostAxes> axis{};  ///< (N) in [-1, 1]; null: an axis without values; NaN: none here
  const double* value = nullptr;                ///< (N) y; a point whose y is not finite is left out
  std::size_t points = 0;                       ///< N
};

/// Sums of k(x) = exp(-x^2/(2 bandwidth^2)) at the nodes of every pair of axes.
///
/// Kernels are evaluated in double, rounded to single precision and dropped below 1e-9; sums are single precision in
/// blocks of 96 points. A sum differs from the exact one over the kernels above 1e-9 by at most
/// (96 + N/96 + 4) 2^-24 of its size (each summand has one sign), whatever the instruction set.
/// @param sums (pair, KernelSum, first axis, second axis): 6 * 4 * 64 * 64, single precision
void gaussian_pair_sums(const KernelPointsView& points, double bandwidth, std::span<float> sums);

}  // namespace greekgrid
