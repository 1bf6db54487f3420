#pragma once

/// @file
/// QuantLib's analytic European engine over the same contracts, as a baseline. Built where QuantLib is installed.

#include <array>
#include <cstddef>

#include "greekgrid/kernels/greek.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid::bench {

using OptionSums = std::array<double, kGreekCount>;

/// Sums of weight times delta, gamma, vega, theta over the book at `spots` spots, each contract priced through
/// VanillaOption and AnalyticEuropeanEngine with its own process, as a user of QuantLib would.
OptionSums quantlib_engine_sums(const test::Book& book, std::size_t spots);

}  // namespace greekgrid::bench
