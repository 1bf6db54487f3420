#pragma once

/// @file
/// Exposures of a book at hypothetical closes.

#include <span>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// Exposures (G, W, V, X) of a book at an instant and closes, the Greeks in their order.
///
/// Closes are evenly apart in price, the backends' spots in its logarithm. Expiries are evaluated on a line of spots no
/// coarser than the closes and an eighth of their narrowest deviation, and carried to the closes by Lagrange
/// interpolation through eight points: below 1e-8 of the largest magnitude for expiries that have a deviation of eight
/// spacings left; those settle a day or more after the instant. Contracts that settle at or before it are left out.
/// @param grid  instant (one), shifts, rule and floor; its spots are not looked at
/// @param close (X) USD, ascending, > 0
std::vector<double> step_exposures(Backend& backend, GreekSet greeks, const BookView& book, std::size_t positions,
                                   const GridView& grid, std::span<const double> close);

}  // namespace greekgrid
