#pragma once

/// @file
/// The volatility smile of one expiry: total variance as a hyperbola in log-moneyness (raw SVI).
/// Source: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014),
/// section 3.1 (raw parameterisation).

#include "greekgrid/kernels/scalar_math.hpp"

namespace greekgrid::formulas {

/// w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2)), k = ln(strike / forward), w = sigma^2 tau; b = 0 is a flat
/// smile. Domain: b >= 0, |rho| < 1, s >= 0, a + b s sqrt(1 - rho^2) > 0, tau > 0. tau is the time to settlement at the
/// quote instant, in common years: a smile keeps its shape in k while time passes.
template <class Real>
struct Smile {
  Real a;    ///< 1
  Real b;    ///< 1, >= 0
  Real rho;  ///< 1, in (-1, 1)
  Real m;    ///< log-moneyness
  Real s;    ///< log-moneyness, >= 0
  Real tau;  ///< common years

  /// Total variance at log-moneyness k.
  GREEKGRID_HD Real total_variance(Real k) const {
    const Real d = k - m;
    return math::fma(b, math::fma(rho, d, math::sqrt(math::fma(d, d, s * s))), a);
  }
  /// Black-Scholes volatility at log-moneyness k, vol.
  GREEKGRID_HD Real volatility(Real k) const { return math::sqrt(math::max(total_variance(k), Real(0)) / tau); }
};

/// How far the volatility of a contract moves under the skew-stickiness rule: smile(k + (R - 1) x) - smile(k), with
/// k = ln(strike / forward) at the quote instant and x = ln(S / S0). R = 1 (sticky strike) gives 0 exactly.
template <class Real>
GREEKGRID_HD Real skew_stickiness_move(const Smile<Real>& smile, Real k, Real stickiness, Real x) {
  return smile.volatility(math::fma(stickiness - Real(1), x, k)) - smile.volatility(k);
}

}  // namespace greekgrid::formulas
