#pragma once

/// @file
/// Quotes that tests and benchmarks make themselves, and the one comparison of their inversions.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid::test {

/// Quotes that own their columns.
struct Quotes {
  std::vector<std::int8_t> right;
  std::vector<double> price, forward, strike, discount, tau;
  std::vector<double> sigma;  ///< the volatility that a price was made with; NaN where there is none

  void add(int phi, double value, double f, double k, double df, double years,
           double vol = std::numeric_limits<double>::quiet_NaN());
  /// Adds the quote at index i of others.
  void add(const Quotes& others, std::size_t i);
  QuoteView view() const;
  std::size_t size() const { return price.size(); }
};

struct QuoteCase {
  std::string name;
  Quotes quotes;
};

/// Out-of-the-money quotes as of a trading session: up to 6 deviations from the money, two hours to two years, 5 to 150
/// vol, prices above 1e-8. Deterministic.
Quotes session_quotes(std::size_t count);

/// Everything that an inversion meets: sessions, in the money, wings, a minute to ten years and 0.001 to 10 vol, the
/// money itself, prices on and next to their bounds, what is no number, and the ends of the range of double.
std::vector<QuoteCase> quote_cases();

struct Inverted {
  std::vector<double> sigma;
  std::vector<formulas::IvStatus> status;
};
/// Runs a backend over quotes. Results that it does not write show as statuses that do not exist.
Inverted invert(Backend& backend, const QuoteView& quotes);

/// The error of a volatility that a time value known to one rounding leaves: eps (1 + b/(s db/ds)), relative.
double attainable_error(const QuoteView& quotes, std::size_t i, double sigma);

/// Worst difference of two inversions of the same quotes, in units of attainable_error.
struct QuoteDeviation {
  double in_attainable = 0.0;  ///< infinite where a status differs, a volatility is missing or should be
  std::size_t quote = 0;
  std::string quoted;  ///< that quote with both results
};
QuoteDeviation compare_quotes(const Inverted& actual, const Inverted& expected, const QuoteView& quotes);

/// Largest deviation of a backend's inversions from the reference's, in units of attainable_error: each lies within 5
/// of the exact volatility. Some twenty roundings of eps/2 lead from a quote to s (x, beta, h, two polynomials and
/// their quotient, the logarithm, h^2 + t^2, the step, the root of tau): 10 eps at most where the unit is 2 eps, at the
/// money; in the wings s answers b by 1/h^2 and all but the last of them fade. Seen against 34 digits: 3.9 and 3.7.
inline constexpr double kQuoteTolerance = 10.0;

}  // namespace greekgrid::test
