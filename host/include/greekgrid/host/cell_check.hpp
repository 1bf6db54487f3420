#pragma once

/// @file
/// Cells of stored surfaces recomputed from the book that is stored beside them: which cells, what they should hold,
/// and how far what is stored may be from it.

#include <cstdint>
#include <span>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/greek.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

/// One scenario of a grid.
struct CellPlace {
  std::size_t time = 0, iv_shift = 0, spot = 0;
  friend bool operator==(const CellPlace&, const CellPlace&) = default;
  friend auto operator<=>(const CellPlace&, const CellPlace&) = default;
};

/// Draws scenarios of one book: first the reference cell, the first instant at or after every settlement as far as
/// there is room, the ends of every axis, then others at random. The same arguments give the same cells.
///
/// @param time       (T) s since the epoch, ascending
/// @param settlement (E) s since the epoch
/// @param iv_shifts  V
/// @param zero_shift index of the shift 0
/// @param spots      J, odd; its middle is spot_reference
/// @param count      cells wanted, at most T V J
/// @param seed       of the generator
/// @return distinct, ascending
std::vector<CellPlace> sample_cells(std::span<const std::int64_t> time, std::span<const std::int64_t> settlement,
                                    std::size_t iv_shifts, std::size_t zero_shift, std::size_t spots, std::size_t count,
                                    std::uint64_t seed);

/// Draws distinct scenarios at random, fewer where there are not so many. The same arguments give the same ones.
std::vector<CellPlace> draw_cells(std::size_t times, std::size_t iv_shifts, std::size_t spots, std::size_t count,
                                  std::uint64_t seed);

/// What a cell should hold, in units of its surface.
struct CellSum {
  double net = 0.0;        ///< sum of weight times Greek
  double gross = 0.0;      ///< sum of the magnitudes
  double at_strike = 0.0;  ///< magnitudes of what settles within 1e-9 of its strike at the instant: of a jump in delta,
                           ///< where one bit of spot decides, either side is right
};

/// Recomputes one scenario contract by contract.
///
/// @param reference the backend of plain double loops
/// @param book      (W, N) weights, as of an ExposureJob
/// @param cell      a grid of one instant, one shift and one spot
/// @return (G, W)
std::vector<CellSum> recompute_cell(Backend& reference, GreekSet greeks, const BookView& book, const GridView& cell,
                                    std::size_t positions);

/// Recomputes the Greeks of every contract at spot_reference, under sticky strike and without a shift.
/// @return (kGreekCount, N) raw per share, to the vendor's spot
std::vector<double> recompute_greeks(Backend& reference, const BookView& book, std::int64_t time, double iv_floor);

/// How far a backend's cells may be from those of the plain double loops: see Precision.
struct CellBound {
  double of_largest = 5e-6;  ///< of the largest magnitude of the surface
  double of_gross = 1e-6;    ///< of the cell's gross sum: all there is to go by where a whole surface cancels
};
inline constexpr CellBound kBound32 = {5e-6, 1e-6};
inline constexpr CellBound kBound64 = {1e-11, 1e-11};

/// Largest distance of a stored cell from its recomputation: that of its precision, and half a unit in the last of the
/// mantissa bits that are kept.
/// @param largest   magnitude of the surface, in its units
/// @param kept_bits explicit bits of the float32 mantissa, 1 to 23
double cell_tolerance(const CellBound& bound, double largest, const CellSum& sum, int kept_bits);

}  // namespace greekgrid
