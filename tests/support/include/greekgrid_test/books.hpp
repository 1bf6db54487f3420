#pragma once

/// @file
/// Small books and grids that tests and benchmarks build themselves, and the one comparison of exposures.

#include <cstdint>
#include <string>
#include <vector>

#include "greekgrid/kernels/backend.hpp"

namespace greekgrid::test {

/// A book that owns its arrays.
struct Book {
  double spot = 100.0;
  double spot_basis = 0.0;
  std::vector<std::int64_t> settlement;
  std::vector<double> rate, dividend_yield;
  std::vector<std::int64_t> expiry_begin = {0};
  std::vector<double> strike;
  std::vector<std::int8_t> right;
  std::vector<double> implied_volatility;
  std::vector<std::vector<double>> weight;     // one vector a position model
  std::vector<formulas::Smile<double>> smile;  // one an expiry, or none
  mutable std::vector<double> packed;          // (W, N), filled by view()

  void add_expiry(std::int64_t settles, double r, double q);
  /// Appends a contract to the last expiry; `weights` one a position model.
  void add(double k, int phi, double sigma, const std::vector<double>& weights);
  /// Gives every expiry a smile by hand: skewed to the left and steeper the nearer it settles, as equity indices are.
  void add_smiles();
  BookView view() const;
};

/// A smile like an index's at tau common years to settlement: about 0.2 at the money, skew growing as 1/sqrt(tau),
/// curved over a standard deviation, w > 0 everywhere.
formulas::Smile<double> index_like_smile(double tau);

/// A grid that owns its axes.
struct Grid {
  std::vector<std::int64_t> time;
  std::vector<double> iv_shift;
  GridView view;  ///< time and iv_shift are set by get()
  GridView get() const;
};

/// Instant 0 of test grids.
inline constexpr std::int64_t kQuoteTime = 1694721600;

/// A chain like an index's: `contracts` contracts over expiries from 0DTE (hours) to two years, strikes from deep wing
/// to deep wing, a skewed smile, q != 0, heavy-tailed open interest, `positions` models (naive first). Deterministic.
Book index_like_book(std::size_t contracts, std::size_t positions = 1, std::uint64_t seed = 1);

/// T sessions a day apart, V shifts of a vol point around 0, J spots within +-half_width of ln S.
Grid session_grid(std::size_t times, std::size_t shifts, std::size_t spots, double half_width);

/// Worst deviation of one Greek's surface relative to the largest magnitude of the expected one.
struct SurfaceDeviation {
  double relative_to_maximum = 0.0;  ///< infinite if a value is not finite or sizes differ
  std::size_t cell = 0;
  double actual = 0.0, expected = 0.0, maximum = 0.0;
};
/// Compares two (cells) arrays. A maximum of 0 demands exact zeros.
SurfaceDeviation compare_surface(std::span<const double> actual, std::span<const double> expected);

/// Runs a backend over one job and returns (G, W, T, V, J).
std::vector<double> evaluate(Backend& backend, GreekSet greeks, const Book& book, const Grid& grid);

}  // namespace greekgrid::test
