#pragma once

/// @file
/// The scaled complementary error function and the Mills ratio, free of underflow and of cancellation in the tail.
///
/// Both are Chebyshev fits of (1 + v)^k f(v) over the whole half axis v >= 0 in the variable w = (v - 4)/(v + 4), the
/// mapping of Shepherd and Laframboise (Mathematics of Computation 36, 1981), fitted with 50 digits to 2^-56.

#include "greekgrid/kernels/scalar_math.hpp"

namespace greekgrid::formulas {

namespace erfcx_detail {

/// A polynomial as four interleaved Horner chains in x^4: a quarter of the latency of one chain.
template <int N, class Real>
GREEKGRID_HD Real polynomial(const double (&c)[N], Real x) {
  static_assert(N >= 4);
  const Real x2 = x * x;
  const Real x4 = x2 * x2;
  Real part[4];
  for (int k = 0; k < 4; ++k) {
    const int last = k + 4 * ((N - 1 - k) / 4);
    Real sum = Real(c[last]);
    for (int i = last - 4; i >= 0; i -= 4) sum = math::fma(sum, x4, Real(c[i]));
    part[k] = sum;
  }
  return math::fma(math::fma(part[3], x, part[2]), x2, math::fma(part[1], x, part[0]));
}

}  // namespace erfcx_detail

/// Mills ratio M(v) = N(-v)/n(v) of the standard normal law.
/// Domain: v >= 0 (infinity gives 0). Relative error below 4 eps of double (2.3 eps seen against 50 digits).
template <class Real>
GREEKGRID_HD Real mills_ratio(Real v) {
  constexpr double kFit[] = {
      1.1832619145678034,    -0.2423996705218074,    0.035091880234748005,    0.07169048120136096,
      -0.0807080096790523,   0.04495912907942534,    -0.01253910362039814,    -0.0007159509389343426,
      0.001741848773732585,  -0.0002367014896228787, -0.0002202155756957516,  5.326563960096377e-05,
      3.415881433183821e-05, -8.60188663234564e-06,  -6.5533544552582505e-06, 1.010149243524485e-06,
      1.390762707984928e-06, 1.0633980470022923e-08, -2.869299965207942e-07,  -5.844326186367925e-08,
      5.077844122332048e-08, 2.2205063936815332e-08, -6.5624402369464745e-09, -4.779664948926488e-09,
      4.480233382099169e-10, 4.934984427261487e-10};
  const Real w = Real(1) - Real(8) / (v + Real(4));
  return erfcx_detail::polynomial(kFit, w) / (Real(1) + v);
}

/// -M'(v) = 1 - v M(v), the first moment of exp(-v u - u^2/2) over u > 0, as 1/v^2 in the tail where that difference
/// has cancelled. Domain: v >= 0 (infinity gives 0). Relative error below 4 eps of double (2.3 eps seen against 50
/// digits).
template <class Real>
GREEKGRID_HD Real mills_slope(Real v) {
  constexpr double kFit[] = {
      1.334761708643933,      -0.34686443844569465,   -0.17268170834610128,   0.35354727647612066,
      -0.2212615063801503,    0.027117664485105684,   0.056082893339422395,   -0.03889109207420479,
      0.004677620881409152,   0.005832613643474095,   -0.001935822570159025,  -0.0008822524363062967,
      0.00042624294436056405, 0.00017449545797584647, -8.088403057279302e-05, -4.3507962745601586e-05,
      1.2501180499065316e-05, 1.161899681251207e-05,  -7.852199398893984e-07, -2.8990366698366327e-06,
      -4.331407040970601e-07, 6.054380005946203e-07,  2.1951051635580474e-07, -9.232200026629433e-08,
      -5.250839166159316e-08, 7.906659099103657e-09,  5.695878543494985e-09,  -1.2652705764269517e-10};
  const Real w = Real(1) - Real(8) / (v + Real(4));
  const Real inverse = Real(1) / (Real(1) + v);
  return erfcx_detail::polynomial(kFit, w) * inverse * inverse;
}

/// erfcx(y) = exp(y^2) erfc(y). Any y: below -26.6 the value overflows to infinity, at infinity it is 0.
/// Relative error below 4 eps of double (1.8 eps seen against 60 digits).
template <class Real>
GREEKGRID_HD Real erfcx(Real y) {
  const Real right = Real(0.79788456080286535588) * mills_ratio(Real(1.41421356237309504880) * math::abs(y));
  const Real square = y * y;
  const Real residue = math::fma(y, y, -square);
  const Real growth = math::exp(square);
  // Where the exponential has overflowed its residue must not make a NaN.
  const Real reflected =
      growth > Real(1e300) ? Real(2) * growth : math::fma(Real(2) * growth, residue, Real(2) * growth) - right;
  return y < Real(0) ? reflected : right;
}

}  // namespace greekgrid::formulas
