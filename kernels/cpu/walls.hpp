#pragma once

/// @file
/// The vectorised search for gamma walls of the CPU backend: lanes are spots, contracts are broadcast.
///
/// The sum of a strike stays in registers while its contracts go by, and so does the best one of each lane; a strike
/// whose sum is bounded by less than what every lane has is skipped. Of gamma no more is formed than what differs
/// between contracts: weight e^{-q tau} exp(-d1^2/2) / (sigma sqrt(tau)).

#include <cstddef>
#include <memory>
#include <vector>

#include "greekgrid/kernels/views.hpp"
#include "wall_contracts.hpp"

namespace greekgrid::cpu {

/// Spots of one task under a rule with a table of volatilities, of which the table has as many columns.
inline constexpr std::size_t kWallSpots = 32;

/// The spots of a job; padded to a multiple of kWallSpots.
struct WallSpots {
  std::vector<double> spot;  ///< S, USD; NaN behind the last one
  std::vector<double> x;     ///< ln(S / S0); 0 behind the last one
};
WallSpots make_wall_spots(const WallJob& job);

/// Scratch memory of one thread; grows to the largest side seen.
struct WallScratch {
  std::vector<double> shift;            // (n) of the volatilities of a row
  std::vector<double> zero, slope;      // (n) where volatility is fixed: d1 = (x - zero) slope, up to a constant factor
  std::vector<double> coefficient;      // (W, n + pad) of the densities in the sum of a strike
  std::vector<double> envelope;         // (n) what the factors of coefficients do not exceed over some spots
  std::vector<double> bound;            // (position models searched together, K) of |g| over some spots
  std::vector<double> table;            // (n, kWallSpots) volatility before shift and floor
  std::vector<double> lowest, highest;  // (n) of the table's rows
};

/// A part of a job: spots [spot_begin, spot_end), where spot_begin is a multiple of kWallSpots, and IV shifts
/// [shift_begin, shift_end). Under skew stickiness no more than kWallSpots spots.
struct WallPart {
  std::size_t spot_begin, spot_end;
  std::size_t shift_begin, shift_end;
};

/// Writes the walls of a part of a job's calls or puts to wall (W, V, X).
void find_walls(const WallJob& job, const WallSide& side, const WallSpots& spots, const WallPart& part,
                WallScratch& scratch, double* wall);

}  // namespace greekgrid::cpu
