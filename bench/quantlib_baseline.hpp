#pragma once

/// @file
/// QuantLib over the same contracts and prices, as a baseline: its analytic European engine and its implied volatility.
/// Built where QuantLib is installed.

#include <array>
#include <cstddef>

#include "greekgrid/kernels/greek.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid::bench {

using OptionSums = std::array<double, kGreekCount>;

/// Sums of weight times delta, gamma, vega, theta over the book at `spots` spots, each contract priced through
/// VanillaOption and AnalyticEuropeanEngine with its own process, as a user of QuantLib would.
OptionSums quantlib_engine_sums(const test::Book& book, std::size_t spots);

/// Volatility of a discounted price by blackFormulaImpliedStdDev at accuracy 1e-12; NaN where it gives up.
double quantlib_implied_volatility(double right, double price, double forward, double strike, double discount,
                                   double tau);

}  // namespace greekgrid::bench
