#pragma once

/// @file
/// The Black formula in normalised form and its inversion to full double accuracy.
///
/// With x = ln(F/K), s = sigma sqrt(tau), h = x/s, t = s/2 the normalised out-of-the-money price is
/// b = e^(x/2) N(h + t) - e^(-x/2) N(h - t), x <= 0, so that price = discount sqrt(F K) b.
/// The plan of the inversion (solve for the time value, a region for each behaviour of b, an objective that is nearly
/// straight there, third-order Householder steps) follows P. Jaeckel, "Let's Be Rational" (Wilmott, January 2015); the
/// evaluation of b, the regions and the starting values are this library's own.

#include "greekgrid/kernels/formulas/erfcx.hpp"
#include "greekgrid/kernels/scalar_math.hpp"

namespace greekgrid::formulas {

/// Why an inversion has or has not a result.
enum class IvStatus : unsigned char {
  kOk,
  kBelowIntrinsic,  ///< the price is at or below its discounted intrinsic value: no positive volatility has it
  kAboveBound,      ///< the price is at or above discount F (call) or discount K (put): no finite volatility has it
  kInvalid,         ///< an input is NaN, infinite or outside its domain
};

/// A volatility with the reason where there is none.
struct ImpliedVolatility {
  double sigma;  ///< vol; NaN unless status is ok
  IvStatus status;
};

namespace iv_detail {

inline constexpr double kInverseSqrtTwoPi = 0.39894228040143267794;
inline constexpr double kSqrtTwoPi = 2.50662827463100050242;

/// The normalised price in the form that its region keeps accurate, and its derivative in s.
template <class Real>
struct Price {
  Real value;       ///< b
  Real complement;  ///< e^(x/2) - b
  Real slope;       ///< db/ds
};

/// b, its complement and slope at x <= 0, s > 0, with root = e^(x/2). Three forms, none of which subtracts nearly equal
/// numbers: a Taylor series in t of the difference of Mills ratios, that difference, and the bound less two tails. In
/// the deep wings the terms of the series cancel and the ratios no longer do.
template <class Real>
GREEKGRID_HD Price<Real> price(Real x, Real s, Real root) {
  const Real h = x / s;
  const Real t = Real(0.5) * s;
  const Real slope = Real(kInverseSqrtTwoPi) * math::exp(Real(-0.5) * math::fma(h, h, t * t));
  if (t < Real(0.375) && x > Real(-4)) {
    // The odd moments of exp(h u - u^2/2) over u > 0, each times t^2k/(2k+1)!, by their recurrence in k.
    const Real quarter = Real(0.25) * x * x;
    const Real t2 = t * t;
    const Real t4 = t2 * t2;
    const Real first = mills_slope(-h);
    Real before = first;
    Real term = math::max((math::fma(Real(3), t2, quarter) * first - t2) * Real(1.0 / 6.0), Real(0));
    Real sum = first + term;
    constexpr double kInverse[8] = {1.0 / 6,   1.0 / 20,  1.0 / 42,  1.0 / 72,
                                    1.0 / 110, 1.0 / 156, 1.0 / 210, 1.0 / 272};  // 1/((2k + 2)(2k + 3))
    for (int k = 1; k < 8; ++k) {
      const Real next = (math::fma(Real(4 * k + 3), t2, quarter) * term - t4 * before) * Real(kInverse[k]);
      before = term;
      term = next;
      sum += term;
    }
    const Real b = slope * s * sum;
    return {b, root - b, slope};
  }
  if (h + t <= Real(0)) {
    const Real b = slope * (mills_ratio(-(h + t)) - mills_ratio(t - h));
    return {b, root - b, slope};
  }
  const Real complement = slope * (mills_ratio(h + t) + mills_ratio(t - h));
  return {root - complement, complement, slope};
}

/// v with N(-v) = p to 4e-4, for 0 < p <= 1/4.
template <class Real>
GREEKGRID_HD Real tail_quantile(Real p) {
  constexpr double kFit[5] = {1.0003191887913307, -0.04441975988584412, -3.6306572083575466, 2.5497015612772893,
                              -10.196072111025545};
  const Real q = math::sqrt(Real(-2) * math::log(p));
  return q * erfcx_detail::polynomial(kFit, Real(1) / (Real(1) + q));
}

/// |h| of the normal (Bachelier) model from ln of price/|x| to 1.5e-3: the limit of the inversion for small s.
template <class Real>
GREEKGRID_HD Real bachelier_deviation(Real log_ratio) {
  constexpr double kNear[4] = {0.3989177893192429, 0.0023467842823428928, 0.01981147185794329, 0.015593441176705785};
  constexpr double kFar[6] = {1.0105645719910898, -0.6725871572682298, 0.8966022145195478,
                              -67.9571050674951,  246.47930683641687,  -241.73572677583323};
  if (log_ratio > Real(-1.3862943611198906)) {
    const Real u = Real(1) / (math::exp(log_ratio) + Real(0.5));
    return u * erfcx_detail::polynomial(kNear, u);
  }
  const Real q = math::sqrt(Real(-2) * log_ratio);
  return q * erfcx_detail::polynomial(kFar, Real(1) / (Real(1) + q));
}

/// One step of Householder's third-order method from the Newton step and the scaled derivatives f''/f', f'''/f'.
template <class Real>
GREEKGRID_HD Real householder_step(Real newton, Real second, Real third) {
  return newton * math::fma(Real(0.5) * newton, second, Real(1)) /
         math::fma(newton, math::fma(newton * Real(1.0 / 6.0), third, second), Real(1));
}

template <class Real>
GREEKGRID_HD bool is_finite(Real x) {
  return math::abs(x) <= Real(1.7976931348623157e308);
}

}  // namespace iv_detail

/// Normalised Black price of an out-of-the-money call (x <= 0) or, by symmetry, put: the sign of x is not used.
/// Domain: any finite x, s >= 0 (0 gives 0). Relative error within 6 eps (1 + h^2 + t^2) with h = x/s and t = s/2, the
/// part in h^2 and t^2 being that of the exponential of a rounded argument.
template <class Real>
GREEKGRID_HD Real normalised_black(Real x, Real s) {
  if (s == Real(0)) return Real(0);
  return iv_detail::price(-math::abs(x), s, math::exp(Real(-0.5) * math::abs(x))).value;
}

/// Normalised price of either side: right (+1 call, -1 put) and x of any sign; in the money the intrinsic value is
/// added.
template <class Real>
GREEKGRID_HD Real normalised_black(Real right, Real x, Real s) {
  const Real intrinsic = right * math::exp(Real(-0.5) * x) * math::expm1(x);  // 2 sinh(x/2)
  return normalised_black(x, s) + math::max(intrinsic, Real(0));
}

/// Total deviation s = sigma sqrt(tau) of a normalised out-of-the-money price beta.
/// Domain: 0 < beta < e^(-|x|/2), x finite (its sign is not used); outside it NaN.
/// Accuracy: relative error within a few eps (1 + beta/(s db/ds)), the attainable one; 2 evaluations of b as a rule.
template <class Real>
GREEKGRID_HD Real implied_total_deviation(Real beta, Real x) {
  x = -math::abs(x);
  const Real bound = math::exp(Real(0.5) * x);
  if (!(beta > Real(0)) || !(beta < bound)) return Real(NAN);

  // s_c is where b has its inflection in s; below it b falls as exp(-x^2/2s^2), above it rises towards the bound.
  const Real inflection = math::sqrt(Real(-2) * x);
  Real low = Real(0);
  Real high = Real(1e300);
  Real s;
  bool lower = false;
  Real centre = Real(0);
  Real centre_slope = Real(iv_detail::kInverseSqrtTwoPi);
  if (x < Real(0)) {
    // There h = -t. The difference may cancel: it only chooses a region and a starting value.
    centre_slope = Real(iv_detail::kInverseSqrtTwoPi) * bound;
    centre = centre_slope * (Real(1.25331413731550025121) - mills_ratio(inflection));
    lower = beta < centre;
  }
  const Real log_beta = math::log(beta);
  if (lower) {
    high = inflection;
    const Real log_ratio = log_beta - math::log(-x);
    s = -x / iv_detail::bachelier_deviation(log_ratio);
    // b is about the normal model's price times exp(-(1/2 - theta) t^2), theta from 1/3 at h = 0 to 0 in the wing.
    s = math::min(s, inflection);
    const Real h = x / s;
    const Real theta = Real(1) / (Real(3) + h * h - Real(1.3) * h);
    s = -x / iv_detail::bachelier_deviation(math::fma(Real(0.5) - theta, Real(0.25) * s * s, log_ratio));
    s = math::min(s, inflection);
  } else {
    low = inflection;
    const Real y = (beta - centre) / centre_slope;
    s = inflection + y * math::fma(y, y * Real(1.0 / 24.0), Real(1));
    if (bound - beta < Real(0.4) * bound) {
      const Real complement = bound - beta;
      s = math::max(inflection, Real(2) * iv_detail::tail_quantile(math::min(Real(0.5) * complement, Real(0.25))));
      for (int i = 0; i < 2; ++i) {
        const Real h = x / s;
        const Real p = Real(0.5) * complement * math::exp(Real(0.5) * h * h) / math::fma(Real(0.5) * h, h, Real(1));
        s = math::max(inflection, Real(2) * iv_detail::tail_quantile(math::min(p, Real(0.25))));
      }
    }
  }

  const bool upper_tail = bound - beta < Real(0.5) * bound && !lower;
  for (int iteration = 0; iteration < 24; ++iteration) {
    const auto at = iv_detail::price(x, s, bound);
    const Real x2 = x * x;
    const Real s2 = s * s;
    const Real bend = x2 / (s2 * s) - Real(0.25) * s;                                  // b''/b'
    const Real twist = math::fma(bend, bend, Real(-3) * x2 / (s2 * s2) - Real(0.25));  // b'''/b'
    if (at.value < beta) {
      low = math::max(low, s);
    } else {
      high = math::min(high, s);
    }
    Real step;
    if (lower && at.value > Real(0)) {
      // Objective 1/ln b - 1/ln beta, nearly parabolic in s.
      const Real miss = (beta - at.value) / at.value;
      const Real residual = math::abs(miss) < Real(0.5) ? Real(math::log1p(miss)) : math::log(beta / at.value);
      const Real log_b = log_beta - residual;
      const Real p = at.slope / at.value;
      const Real second = bend - p;
      const Real third = math::fma(Real(-3) * p, bend, math::fma(Real(2) * p, p, twist));
      const Real over = p / log_b;
      step = iv_detail::householder_step(residual * log_b / (log_beta * p), second - Real(2) * over,
                                         third - Real(6) * over * (second - over));
    } else if (upper_tail) {
      // Objective ln of the complement.
      const Real target = bound - beta;
      const Real p = -at.slope / at.complement;
      const Real second = bend - p;
      const Real third = math::fma(Real(-3) * p, bend, math::fma(Real(2) * p, p, twist));
      // at.value - beta is the same miss as the difference of the complements, and each carries its own rounding; the
      // complements keep relative accuracy where b has rounded to its bound.
      step = iv_detail::householder_step(math::log(target / at.complement) / p, second, third);
    } else {
      step = iv_detail::householder_step((beta - at.value) / at.slope, bend, twist);
    }
    Real next = s + step;
    if (!(next > low && next < high)) {
      // A step that leaves the bracket (or is NaN) is replaced; one that the bracket has closed on is done.
      if (math::abs(step) <= Real(8.9e-16) * s) return s;
      next = high < Real(1e299) ? Real(0.5) * (low + high) : Real(2) * s;
    }
    const Real moved = math::abs(next - s);
    s = next;
    // Fourth-order convergence: a step below 1e-4 has left an error near 1e-16 of s.
    if (moved <= Real(3e-5) * s) break;
  }
  return s;
}

/// Implied volatility of a discounted option price (what the market quotes today).
///
/// @param right    +1 call, -1 put
/// @param price    USD per share, paid now
/// @param forward  USD, > 0
/// @param strike   USD, > 0
/// @param discount value now of 1 USD at settlement, > 0
/// @param tau      common years, > 0
/// In the money the discounted intrinsic value is taken off first and the time value inverted: its rounding then limits
/// the result (relative error eps price/(sigma vega)). Out of the money the result is accurate to a few eps.
GREEKGRID_HD ImpliedVolatility implied_volatility(double right, double price, double forward, double strike,
                                                  double discount, double tau) {
  using iv_detail::is_finite;
  const double nothing = NAN;
  const bool usable = is_finite(price) && is_finite(forward) && is_finite(strike) && is_finite(discount) &&
                      is_finite(tau) && forward > 0.0 && strike > 0.0 && discount > 0.0 && tau > 0.0 &&
                      (right == 1.0 || right == -1.0);
  if (!usable) return {nothing, IvStatus::kInvalid};
  const double undiscounted = price / discount;
  const double intrinsic = math::max(right * (forward - strike), 0.0);
  const double time_value = undiscounted - intrinsic;
  if (!(time_value > 0.0)) return {nothing, IvStatus::kBelowIntrinsic};
  if (undiscounted >= (right > 0.0 ? forward : strike)) return {nothing, IvStatus::kAboveBound};
  const double relative = (forward - strike) / strike;
  const double x = math::abs(relative) < 0.5 ? math::log1p(relative) : math::log(forward / strike);
  const double beta = time_value / (math::sqrt(forward) * math::sqrt(strike));
  const double s = implied_total_deviation(beta, x);
  if (!(s > 0.0)) return {nothing, beta > 0.0 ? IvStatus::kAboveBound : IvStatus::kBelowIntrinsic};
  return {s / math::sqrt(tau), IvStatus::kOk};
}

}  // namespace greekgrid::formulas
