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
/// k = ln(strike / forward) at the quote instant and x = ln(S / S0). R = 1 (sticky strike) gives 0 exactly, and so does
/// a flat smile. Error below 1e-14 b |(R - 1) x| / (tau (smile(k + (R - 1) x) + smile(k))): it shrinks with the move.
/// (a < 0 cancels in w and costs a factor of about 1 + 2 |a| / w.) Source of R: L. Bergomi, "Smile dynamics IV", Risk
/// (December 2009).
template <class Real>
GREEKGRID_HD Real skew_stickiness_move(const Smile<Real>& smile, Real k, Real stickiness, Real x) {
  // Differences of square roots as quotients, sqrt(w1) - sqrt(w0) = (w1 - w0)/(sqrt(w1) + sqrt(w0)), twice: a small
  // move is no difference of two large volatilities.
  const Real step = (stickiness - Real(1)) * x;
  const Real from = k - smile.m;
  const Real to = from + step;
  const Real s2 = smile.s * smile.s;
  const Real root_from = math::sqrt(math::fma(from, from, s2));
  const Real root_to = math::sqrt(math::fma(to, to, s2));
  const Real w_from = math::fma(smile.b, math::fma(smile.rho, from, root_from), smile.a);
  const Real w_to = math::fma(smile.b, math::fma(smile.rho, to, root_to), smile.a);
  const Real roots = root_from + root_to;
  const Real rise = smile.b * step * math::fma(smile.rho, roots, from + to);
  const Real run =
      roots * (math::sqrt(smile.tau * math::max(w_from, Real(0))) + math::sqrt(smile.tau * math::max(w_to, Real(0))));
  // A step of 0 at the kink of a smile without curvature (s = 0) has no run.
  return math::select(run > Real(0), rise / run, Real(0));
}

}  // namespace greekgrid::formulas
