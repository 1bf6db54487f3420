#pragma once

/// @file
/// How an additive volatility shift is spread over expiries.

#include "greekgrid/kernels/scalar_math.hpp"

namespace greekgrid::formulas {

/// Factor of a shift under sqrt_time: min(sqrt((30/365)/tau0), cap), 1 at 30 days, larger for shorter expiries.
/// tau0 > 0 is the time to settlement at the quote instant, in common years; at the quote instant itself the cap holds.
template <class Real>
GREEKGRID_HD Real sqrt_time_scale(Real tau0, Real cap) {
  return math::min(math::sqrt(Real(30.0 / 365.0) / tau0), cap);
}

}  // namespace greekgrid::formulas
