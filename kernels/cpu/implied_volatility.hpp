#pragma once

/// @file
/// The vectorised inversion of the CPU backend.
///
/// The algorithm is that of formulas/implied_volatility.hpp with one objective for every region, the logarithm of the
/// price (or, above the money line, of its complement to the bound). Its density cancels, so a step takes no
/// exponential: with h = |x|/s, t = s/2, b = n(h, t) G and n(h, t) = exp(-(h^2 + t^2)/2)/sqrt(2 pi),
/// ln(beta/b) = ln(sqrt(2 pi) beta/G) + (h^2 + t^2)/2 and d ln b/ds = 1/G.

#include <cstddef>
#include <cstdint>

#include "greekgrid/kernels/formulas/implied_volatility.hpp"

namespace greekgrid::cpu {

/// Columns of quotes, as of QuoteView.
struct QuoteColumns {
  const std::int8_t* right;
  const double* price;
  const double* forward;
  const double* strike;
  const double* discount;
  const double* tau;
};

/// Inverts `count` quotes into sigma and status, each as formulas::implied_volatility would and from its own numbers
/// alone: the place of a quote in the columns does not change its bits. Statuses are those of the formula exactly;
/// sigma agrees with it within the error of both, a few eps (1 + b/(s db/ds)).
/// @return how many quotes were left to the formula: those at the edges of its domain, none in the region where quotes
/// lie (total deviations up to 10, |ln(F/K)| up to 40, 1e-12 of the bound away from it)
std::size_t invert_quotes(const QuoteColumns& quotes, std::size_t count, double* sigma, formulas::IvStatus* status);

}  // namespace greekgrid::cpu
