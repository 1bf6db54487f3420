#pragma once

/// @file
/// Histories in which every backend searches for nearest points and sums kernels, and the one comparison of either.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "greekgrid/kernels/forecast_backend.hpp"

namespace greekgrid::test {

struct Neighbours {
  std::vector<std::int32_t> index;  ///< (Q, K)
  std::vector<double> distance2;    ///< (Q, K)
  std::vector<std::int32_t> candidates;
};

/// A search that owns its arrays; its results are elsewhere.
struct SearchCase {
  std::string name;
  std::vector<std::vector<double>> axis;
  std::vector<double> required;  ///< empty: nothing is
  std::vector<double> at;        ///< (Q, axes)
  std::vector<std::int32_t> last;
  std::size_t count = 42;

  NearestJob job(Neighbours& results) const;
};

/// Histories shorter and longer than what is asked for, with gaps, ties of most and of all distances, one to four axes,
/// one to 64 points asked for; places without candidates, places that are nowhere, and candidates so spread that one
/// thread of a block has all of them.
std::vector<SearchCase> search_cases();
/// Small searches of unequal size, none like another.
std::vector<SearchCase> many_searches(std::size_t count);
/// A walk over one history of autocorrelated points: a place per session, its candidates the sessions before.
SearchCase walk_search(std::size_t sessions);

/// Runs a backend over one search, or several at once. Results that it does not write show as -7, which nothing is.
Neighbours find_nearest(ForecastBackend& backend, const SearchCase& of);
std::vector<Neighbours> find_nearest(ForecastBackend& backend, const std::vector<SearchCase>& of);
/// Whether two searches found the same bits; a distance that is not there equals another that is not.
bool same_neighbours(const Neighbours& a, const Neighbours& b);

/// A sum of kernels that owns its arrays.
struct PairSumsCase {
  std::string name;
  std::array<std::vector<double>, kKernelAxes> axis;     ///< empty: no values
  std::array<std::vector<double>, kKernelValues> value;  ///< the second empty: there is none
  std::size_t points = 0;
  double bandwidth = 0.15;

  PairSumsJob job(std::vector<float>& sums) const;
};

/// One value and two, all axes and some, gaps, points beyond the axes, points with one value of two, ends of slices, no
/// point at all.
std::vector<PairSumsCase> pair_sums_cases();
/// Small sums of unequal size, none like another.
std::vector<PairSumsCase> many_pair_sums(std::size_t count);
/// A history of autocorrelated points on four axes with two values.
PairSumsCase long_pair_sums(std::size_t points);

/// Runs a backend over one sum, or several at once. Results that it does not write show as NaN.
std::vector<float> sum_kernels(ForecastBackend& backend, const PairSumsCase& of);
std::vector<std::vector<float>> sum_kernels(ForecastBackend& backend, const std::vector<PairSumsCase>& of);

/// Worst difference of sums from the expected ones, in units of what gaussian_pair_sums may be off by: 5e-7, of squares
/// 6e-6, and what kernels next to the least may add.
struct SumDeviation {
  double in_tolerance = 0.0;  ///< infinite for a NaN
  std::string where;
};
SumDeviation compare_sums(const std::vector<float>& actual, const std::vector<float>& expected, const PairSumsCase& of);

}  // namespace greekgrid::test
