#pragma once

/// @file
/// The loop that anyone would write first: textbook formulas in double with exp, log, sqrt and erfc of libm, one
/// contract and spot after the other, no more than the Greeks asked for.

#include <array>
#include <cmath>
#include <cstddef>

#include "greekgrid/kernels/greek.hpp"
#include "greekgrid_test/books.hpp"

namespace greekgrid::bench {

/// Sums of weight x Greek over the book's contracts that are alive at time[0], added up over the spots of the grid; 0
/// for Greeks outside the set. IV shift 0, no floor.
template <const GreekSet& kSet>
std::array<double, kGreekCount> libm_sums(const test::Book& book, const GridView& grid) {
  std::array<double, kGreekCount> sums{};
  const auto add = [&sums](Greek greek, double value) { sums[static_cast<std::size_t>(greek)] += value; };
  for (std::size_t j = 0; j < grid.spots; ++j) {
    const double S = book.spot * std::exp(grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step);
    for (std::size_t e = 0; e < book.settlement.size(); ++e) {
      const double tau = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
      if (!(tau > 0.0)) continue;
      const double r = book.rate[e];
      const double q = book.dividend_yield[e];
      for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
           i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
        const double w = book.weight[0][i];
        const double phi = book.right[i];
        const double K = book.strike[i];
        const double sigma = book.implied_volatility[i];
        const double s = sigma * std::sqrt(tau);
        const double d1 = (std::log(S / K) + (r - q) * tau + 0.5 * s * s) / s;
        const double d2 = d1 - s;
        const double growth = std::exp(-q * tau);
        const double density = growth * std::exp(-0.5 * d1 * d1) * 0.39894228040143267794;
        const double delta = phi * growth * 0.5 * std::erfc(-phi * d1 * 0.70710678118654752440);
        const double gamma = density / (S * s);
        const double carry = 2.0 * (r - q) * tau - d2 * s;
        const double vega = S * density * std::sqrt(tau);
        if constexpr (kSet.contains(Greek::kDelta)) add(Greek::kDelta, w * delta);
        if constexpr (kSet.contains(Greek::kGamma)) add(Greek::kGamma, w * gamma);
        if constexpr (kSet.contains(Greek::kCharm))
          add(Greek::kCharm, w * (q * delta - density * carry / (2.0 * tau * s)));
        if constexpr (kSet.contains(Greek::kVanna)) add(Greek::kVanna, -w * density * d2 / sigma);
        if constexpr (kSet.contains(Greek::kSpeed)) add(Greek::kSpeed, -w * gamma / S * (d1 / s + 1.0));
        if constexpr (kSet.contains(Greek::kZomma)) add(Greek::kZomma, w * gamma * (d1 * d2 - 1.0) / sigma);
        if constexpr (kSet.contains(Greek::kColor)) {
          add(Greek::kColor, w * density / (2.0 * S * tau * s) * (2.0 * q * tau + 1.0 + d1 * carry / s));
        }
        if constexpr (kSet.contains(Greek::kVega)) add(Greek::kVega, w * vega);
        if constexpr (kSet.contains(Greek::kVomma)) add(Greek::kVomma, w * vega * d1 * d2 / sigma);
        if constexpr (kSet.contains(Greek::kUltima)) {
          add(Greek::kUltima, -w * vega / (sigma * sigma) * (d1 * d2 * (1.0 - d1 * d2) + d1 * d1 + d2 * d2));
        }
        if constexpr (kSet.contains(Greek::kTheta)) {
          const double bond = phi * std::exp(-r * tau) * 0.5 * std::erfc(-phi * d2 * 0.70710678118654752440);
          add(Greek::kTheta, w * (q * S * delta - r * K * bond - S * density * sigma / (2.0 * std::sqrt(tau))));
        }
      }
    }
  }
  return sums;
}

}  // namespace greekgrid::bench
