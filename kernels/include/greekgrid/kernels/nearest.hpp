#pragma once

/// @file
/// The points nearest to a place, by exact distances. Vectorised (Highway, dispatched at run time), single-threaded,
/// safe to call from any number of threads.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
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
  /// (N) each axis rounded to single precision, or all null. Who has them, and coordinates and places of magnitude 1 at
  /// most, finds the same points in half the time where neither an order, a count nor `required` is asked for.
  std::array<const float*, kMostAxes> rounded{};
};

/// What a search is asked for.
enum class NearestAnswer : std::uint8_t {
  kOrderAndCount,  ///< the points nearest first; returns the number M of points that were not left out
  kPoints,         ///< the points in an order that only the arguments determine; returns how many, min(K, M)
};

/// The points with the smallest squared distance to a place, by (distance^2, then larger index).
///
/// distance^2 = ((d0^2 + d1^2) + d2^2) + d3^2 in double, each operation rounded and none fused, so every instruction
/// set finds the same points and the same bits.
/// @param at        (axes) the place
/// @param index     (K) of the points found, K <= kMostNearest
/// @param distance2 (K)
/// @param within    points with a larger distance^2 are not found; who knows K points within it finds the same sooner
/// @return as `answer` says; the first min(K, M) entries are written
std::size_t nearest(const PointsView& points, std::span<const double> at, std::span<std::int32_t> index,
                    std::span<double> distance2, NearestAnswer answer,
                    double within = std::numeric_limits<double>::infinity());

/// The largest distance^2, as above, of some points to a place. `required` is not looked at.
/// @param index (K) of points without NaN, K <= kMostNearest
double farthest(const PointsView& points, std::span<const double> at, std::span<const std::int32_t> index);

/// Moves the k nearest of up to kMostNearest points, by (distance^2, then larger index), to the front, in an order that
/// only the arguments determine.
/// @param index, distance2 (N) N >= k >= 1; no distance^2 is NaN or negative
void keep_nearest(std::span<std::int32_t> index, std::span<double> distance2, std::size_t k);

/// The order that sorts up to kMostNearest distinct keys, none of them the largest std::int32_t: order[0] is the place
/// of the smallest. By counting, so that the time does not depend on the keys.
void ascending_order(std::span<const std::int32_t> key, std::span<std::uint8_t> order);
/// The order that sorts up to kMostNearest finite keys, of equal ones by their distinct indices.
void ascending_order(std::span<const double> key, std::span<const std::int32_t> index, std::span<std::uint8_t> order);

}  // namespace greekgrid
