#pragma once

/// @file
/// What a surface is compared with: the reference backend's, and the gross exposures of its cells.

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"

namespace greekgrid::bench {

/// Below this share of the surface's largest gross exposure a cell is empty in practice: relative errors there are
/// those of underflow.
inline constexpr double kSmallGross = 1e-6;

/// Sums of |weight x Greek| over contracts, as the reference backend sums them signed; one instant of a sticky-strike
/// grid.
inline void add_gross(const BookView& book, const GridView& grid, std::span<double> gross) {
  const std::size_t scenarios = grid.scenarios();
  std::size_t scenario = 0;
  for (const double shift : grid.iv_shift) {
    for (std::size_t j = 0; j < grid.spots; ++j, ++scenario) {
      const double x = grid.log_spot_begin + static_cast<double>(j) * grid.log_spot_step;
      const double spot = book.spot * std::exp(x + book.spot_basis);
      for (std::size_t e = 0; e < book.expiries(); ++e) {
        const double tau = static_cast<double>(book.settlement[e] - grid.time[0]) / kSecondsPerYear;
        if (tau < 0.0) continue;
        for (auto i = static_cast<std::size_t>(book.expiry_begin[e]);
             i < static_cast<std::size_t>(book.expiry_begin[e + 1]); ++i) {
          const double sigma = std::max(grid.iv_floor, book.implied_volatility[i] + shift);
          const auto g = formulas::black_scholes<double>({static_cast<double>(book.right[i]), spot, book.strike[i],
                                                          book.rate[e], book.dividend_yield[e], sigma, tau});
          for (const Greek greek : kAllGreeks) {
            gross[static_cast<std::size_t>(greek) * scenarios + scenario] +=
                std::abs(book.weight[i] * g[greek]) * std::exp(book.spot_basis * spot_order(greek));
          }
        }
      }
    }
  }
}

/// One instant of a grid after the other, on several threads, into (Greek, time, shift, spot).
template <class Evaluate>
std::vector<double> by_instant(const GridView& grid, const Evaluate& evaluate) {
  const std::size_t row = grid.iv_shift.size() * grid.spots;
  std::vector<double> whole(kGreekCount * grid.scenarios());
  oneapi::tbb::parallel_for(std::size_t{0}, grid.time.size(), [&](std::size_t t) {
    GridView part = grid;
    part.time = grid.time.subspan(t, 1);
    std::vector<double> values(kGreekCount * row);
    evaluate(part, std::span<double>(values));
    for (std::size_t g = 0; g < kGreekCount; ++g) {
      std::copy_n(&values[g * row], row, &whole[g * grid.scenarios() + t * row]);
    }
  });
  return whole;
}

/// All Greeks of a book over a grid, (Greek, time, shift, spot).
struct SurfaceTruth {
  std::vector<double> expected, gross;
};

/// On all cores: the only part of a benchmark that nobody times. Sticky strike and flat shifts only.
inline SurfaceTruth surface_truth(const BookView& book, const GridView& grid) {
  // With a flat shift term an instant's exposures do not depend on the others, so the grid may be cut by instants.
  const auto reference = [&](const GridView& part, std::span<double> out) {
    const ExposureJob job = {book, part, 1, out};
    make_reference_backend()->evaluate(GreekSet::all(), {&job, 1});
  };
  return {by_instant(grid, reference),
          by_instant(grid, [&](const GridView& part, std::span<double> out) { add_gross(book, part, out); })};
}

/// The worst errors of a surface.
struct Worst {
  double to_maximum = 0.0;  ///< worst error / surface maximum
  double to_gross = 0.0;    ///< worst error / gross of the cell, cells of at least kSmallGross
  double to_gross_anywhere = 0.0;
  std::size_t cell = 0;  ///< of to_gross
};

inline Worst compare(std::span<const double> actual, std::span<const double> expected, std::span<const double> gross) {
  double maximum = 0.0, most = 0.0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    maximum = std::max(maximum, std::abs(expected[k]));
    most = std::max(most, gross[k]);
  }
  Worst worst;
  const auto raise = [](double& to, double value) {
    const bool higher = !(value <= to);  // NaN too
    if (higher) to = value;
    return higher;
  };
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const double error = std::abs(actual[k] - expected[k]);
    if (error == 0.0) continue;
    raise(worst.to_maximum, error / maximum);
    raise(worst.to_gross_anywhere, error / gross[k]);
    if (!(gross[k] < kSmallGross * most) && raise(worst.to_gross, error / gross[k])) worst.cell = k;
  }
  return worst;
}

}  // namespace greekgrid::bench
