#include "greekgrid_test/books.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace greekgrid::test {

void Book::add_expiry(std::int64_t settles, double r, double q) {
  settlement.push_back(settles);
  rate.push_back(r);
  dividend_yield.push_back(q);
  expiry_begin.push_back(expiry_begin.back());
}

void Book::add(double k, int phi, double sigma, const std::vector<double>& weights) {
  strike.push_back(k);
  right.push_back(static_cast<std::int8_t>(phi));
  implied_volatility.push_back(sigma);
  weight.resize(std::max(weight.size(), weights.size()));
  for (std::size_t w = 0; w < weights.size(); ++w) weight[w].push_back(weights[w]);
  ++expiry_begin.back();
}

BookView Book::view() const {
  packed.clear();
  for (const auto& row : weight) packed.insert(packed.end(), row.begin(), row.end());
  return {spot,   spot_basis, settlement,         rate,   dividend_yield, expiry_begin,
          strike, right,      implied_volatility, packed, smile};
}

formulas::Smile<double> index_like_smile(double tau) {
  // In units of the deviation at the money, y = k / sqrt(v): w = v (0.6 + 0.4 (-0.7 (y - 0.1) + sqrt((y - 0.1)^2 +
  // 0.64))).
  const double v = 0.04 * tau;
  const double root = std::sqrt(v);
  return {0.6 * v, 0.4 * root, -0.7, 0.1 * root, 0.8 * root, tau};
}

void Book::add_smiles() {
  smile.clear();
  for (const std::int64_t settles : settlement) {
    smile.push_back(index_like_smile(static_cast<double>(settles - kQuoteTime) / kSecondsPerYear));
  }
}

GridView Grid::get() const {
  GridView v = view;
  v.quote_time = time.front();
  v.time = time;
  v.iv_shift = iv_shift;
  return v;
}

Book index_like_book(std::size_t contracts, std::size_t positions, std::uint64_t seed) {
  // splitmix64: the same numbers everywhere.
  auto uniform = [state = seed]() mutable {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  };
  Book book;
  book.spot = 4500.0;
  const std::size_t expiries = std::clamp<std::size_t>(contracts / 100, 1, 50);
  for (std::size_t e = 0; e < expiries; ++e) {
    const double days = 0.2 + 730.0 * std::pow(static_cast<double>(e) / 50.0, 2.0) + static_cast<double>(e);
    book.add_expiry(kQuoteTime + static_cast<std::int64_t>(days * 86400.0), 0.05, 0.015);
    const double tau = days / 365.0;
    const std::size_t here = contracts / expiries + (e < contracts % expiries ? 1 : 0);
    for (std::size_t i = 0; i < here; ++i) {
      const int phi = i % 2 == 0 ? 1 : -1;
      const double position = (static_cast<double>(i / 2) + 0.5) / (static_cast<double>(here) / 2.0) - 0.5;
      const double log_strike = position * std::min(1.6, 0.15 + 1.5 * std::sqrt(tau));
      const double strike = std::round(book.spot * std::exp(log_strike) / 5.0) * 5.0;
      const double sigma = std::max(0.05, 0.15 - 0.3 * log_strike + 0.4 * log_strike * log_strike + 0.02 * uniform());
      const double open_interest = std::floor(std::exp(9.0 * uniform()));
      std::vector<double> weights = {phi * open_interest * 100.0};
      for (std::size_t w = 1; w < positions; ++w) weights.push_back((uniform() < 0.5 ? -1 : 1) * open_interest * 100.0);
      book.add(strike, phi, sigma, weights);
    }
  }
  return book;
}

Grid session_grid(std::size_t times, std::size_t shifts, std::size_t spots, double half_width) {
  Grid grid;
  for (std::size_t t = 0; t < times; ++t) grid.time.push_back(kQuoteTime + static_cast<std::int64_t>(t) * 86400);
  for (std::size_t v = 0; v < shifts; ++v) {
    grid.iv_shift.push_back(0.01 * (static_cast<double>(v) - static_cast<double>(shifts / 2)));
  }
  grid.view.spots = spots;
  grid.view.log_spot_begin = spots > 1 ? -half_width : 0.0;
  grid.view.log_spot_step = spots > 1 ? 2.0 * half_width / static_cast<double>(spots - 1) : 0.0;
  grid.view.iv_floor = 0.01;
  return grid;
}

SurfaceDeviation compare_surface(std::span<const double> actual, std::span<const double> expected) {
  SurfaceDeviation worst;
  if (actual.size() != expected.size()) {
    worst.relative_to_maximum = std::numeric_limits<double>::infinity();
    return worst;
  }
  for (const double value : expected) worst.maximum = std::max(worst.maximum, std::abs(value));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]);
    double relative = difference == 0.0 ? 0.0 : difference / worst.maximum;
    if (!std::isfinite(actual[i]) || !std::isfinite(expected[i])) relative = std::numeric_limits<double>::infinity();
    if (relative > worst.relative_to_maximum) {
      worst.relative_to_maximum = relative;
      worst.cell = i;
      worst.actual = actual[i];
      worst.expected = expected[i];
    }
  }
  return worst;
}

std::vector<double> evaluate(Backend& backend, GreekSet greeks, const Book& book, const Grid& grid) {
  const GridView view = grid.get();
  const std::size_t positions = std::max<std::size_t>(book.weight.size(), 1);
  std::vector<double> out(greeks.size() * positions * view.scenarios(), std::numeric_limits<double>::quiet_NaN());
  const ExposureJob job = {book.view(), view, positions, out};
  backend.evaluate(greeks, {&job, 1});
  return out;
}

}  // namespace greekgrid::test
