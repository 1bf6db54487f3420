#pragma once

/// @file
/// QuantLib over the same contracts and prices, as a baseline: its analytic European engine, its Black calculator and
/// its implied volatility. Built where QuantLib is installed.

#include <cstddef>
#include <memory>
#include <span>

#include "greekgrid/kernels/greek.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid::bench {

/// The Greeks that both of QuantLib's evaluators give.
inline constexpr GreekSet kQuantLibGreeks = {Greek::kDelta, Greek::kGamma, Greek::kVega, Greek::kTheta};

/// A book at test::kQuoteTime, each contract as a VanillaOption with AnalyticEuropeanEngine and a process of its own,
/// as a user of QuantLib would have it. QuantLib's dates are days; a day counter of each expiry gives it its exact tau.
class QuantLibEngine {
 public:
  explicit QuantLibEngine(const test::Book& book);
  ~QuantLibEngine();
  /// Sums of weight x Greek, (kQuantLibGreeks, spot).
  void sums(std::span<const double> spots, std::span<double> out);

 private:
  struct Setup;
  std::unique_ptr<Setup> setup_;
};

/// The same sums by BlackCalculator, made anew for every contract and spot.
void quantlib_black_calculator_sums(const test::Book& book, std::span<const double> spots, std::span<double> out);

/// Volatility of a discounted price by blackFormulaImpliedStdDev at accuracy 1e-12; NaN where it gives up.
double quantlib_implied_volatility(double right, double price, double forward, double strike, double discount,
                                   double tau);

}  // namespace greekgrid::bench
