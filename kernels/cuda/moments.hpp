#pragma once

/// @file
/// Greek exposures of contracts that share an expiry, from moments of the normal density.
///
/// With u = weight e^{-q tau}, a = 1/(sigma sqrt tau), phi = n(d1): m_{p,k} = sum u a^p phi d1^k over the contracts,
/// C1 = sum of u right N(right d1) and C2 = sum of weight K e^{-r tau} right N(right d2). Every Greek of the whole set
/// is a combination of these with coefficients that depend on spot and expiry alone.

#include "greekgrid/kernels/host_device.hpp"

namespace greekgrid::cuda {

/// Number of Greeks that a kernel evaluates, in the order of the enumeration Greek: delta, gamma, charm; then all but
/// veta; then all.
inline constexpr int kThreeGreeks = 3;
inline constexpr int kElevenGreeks = 11;
inline constexpr int kTwelveGreeks = 12;

/// The sums, without the factor 1/sqrt(2 pi) of the density. mK_Q: K = p (minus one is n), Q = k.
template <class Real>
struct Moments {
  Real c1 = 0, c2 = 0;
  Real mn_0 = 0, mn_1 = 0;
  Real m0_0 = 0, m0_1 = 0, m0_2 = 0;
  Real m1_0 = 0, m1_1 = 0, m1_2 = 0, m1_3 = 0;
  Real m2_0 = 0, m2_1 = 0, m2_2 = 0, m2_4 = 0;
};

/// What the combination needs beside the moments.
struct ExpiryState {
  double tau;  ///< common years, > 0
  double sqrt_tau;
  double half_per_tau;  ///< 1/(2 tau)
  double rate;
  double dividend_yield;
};

/// Adds the exposures of one expiry's moments at one spot to sums in the order of the enumeration Greek.
template <int Greeks, class Real>
GREEKGRID_HD void add_exposures(const Moments<Real>& m, const ExpiryState& e, double spot, double inverse_spot,
                                double (&sum)[Greeks]) {
  constexpr double kDensity = 0.39894228040143267794;
  const double q = e.dividend_yield;
  const double carry = e.rate - e.dividend_yield;
  const double h = e.half_per_tau;
  const double c1 = static_cast<double>(m.c1);
  const double mn_0 = kDensity * static_cast<double>(m.mn_0);
  const double m0_1 = kDensity * static_cast<double>(m.m0_1);
  const double m1_0 = kDensity * static_cast<double>(m.m1_0);
  sum[0] += c1;
  sum[1] += m1_0 * inverse_spot;
  sum[2] += q * c1 - carry * m1_0 + (m0_1 - mn_0) * h;
  if constexpr (Greeks >= kElevenGreeks) {
    const double m0_0 = kDensity * static_cast<double>(m.m0_0);
    const double m0_2 = kDensity * static_cast<double>(m.m0_2);
    const double m1_1 = kDensity * static_cast<double>(m.m1_1);
    const double m1_2 = kDensity * static_cast<double>(m.m1_2);
    const double m1_3 = kDensity * static_cast<double>(m.m1_3);
    const double m2_0 = kDensity * static_cast<double>(m.m2_0);
    const double m2_1 = kDensity * static_cast<double>(m.m2_1);
    const double m2_2 = kDensity * static_cast<double>(m.m2_2);
    const double m2_4 = kDensity * static_cast<double>(m.m2_4);
    sum[3] += e.sqrt_tau * (m0_0 - m1_1);                                           // vanna
    sum[4] -= (m2_1 + m1_0) * inverse_spot * inverse_spot;                          // speed
    sum[5] += e.sqrt_tau * (m2_2 - m2_0 - m1_1) * inverse_spot;                     // zomma
    sum[6] += (q * m1_0 + carry * m2_1 + (m0_1 - m1_2 + m1_0) * h) * inverse_spot;  // color
    sum[7] += spot * e.sqrt_tau * m0_0;                                             // vega
    sum[8] += spot * e.tau * (m1_2 - m0_1);                                         // vomma
    // Hermite moments H24 + 3 H22 - 2 H13 - 3 H11 + H02.
    sum[9] += spot * e.tau * e.sqrt_tau * (m2_4 - 3.0 * m2_2 - 2.0 * m1_3 + 3.0 * m1_1 + m0_2 - m0_0);  // ultima
    sum[10] += spot * (q * c1 - h * mn_0) - e.rate * static_cast<double>(m.c2);                         // theta
    if constexpr (Greeks >= kTwelveGreeks) {
      const double mn_1 = kDensity * static_cast<double>(m.mn_1);
      sum[11] += spot * e.sqrt_tau * ((q - h) * m0_0 + carry * m1_1 + h * (mn_1 - m0_2));  // veta
    }
  }
}

}  // namespace greekgrid::cuda
