#pragma once

/// @file
/// The standard normal density and distribution.

#include "greekgrid/kernels/scalar_math.hpp"

namespace greekgrid::formulas {

/// n(x) = exp(-x^2/2)/sqrt(2 pi). Relative error grows as x^2 ulp; 0 beyond |x| = 38.6 in double.
template <class Real>
GREEKGRID_HD Real normal_density(Real x) {
  return Real(0.39894228040143267794) * math::exp(Real(-0.5) * x * x);
}

/// N(x) with full relative accuracy in both tails, through the complementary error function.
template <class Real>
GREEKGRID_HD Real normal_distribution(Real x) {
  return Real(0.5) * math::erfc(Real(-0.70710678118654752440) * x);
}

}  // namespace greekgrid::formulas
