// Searches and kernel sums of the CPU backend against the plain loops, and the comparison of either against mistakes.

#include "greekgrid/kernels/forecast_backend.hpp"

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>

#include <cmath>
#include <limits>
#include <vector>

#include "greekgrid_test/histories.hpp"

namespace greekgrid {
namespace {

using test::find_nearest;
using test::Neighbours;
using test::PairSumsCase;
using test::same_neighbours;
using test::SearchCase;
using test::sum_kernels;

TEST(ForecastComparison, NoticesEveryDifference) {
  const SearchCase search = test::walk_search(360);
  const auto reference = make_reference_forecast_backend();
  const Neighbours expected = find_nearest(*reference, search);
  EXPECT_TRUE(same_neighbours(expected, expected));
  Neighbours other = expected;
  std::swap(other.index[0], other.index[1]);
  EXPECT_FALSE(same_neighbours(other, expected));
  other = expected;
  other.distance2[3] = std::nextafter(other.distance2[3], 9.0);
  EXPECT_FALSE(same_neighbours(other, expected));
  other = expected;
  ++other.candidates.back();
  EXPECT_FALSE(same_neighbours(other, expected));

  const PairSumsCase sums = test::pair_sums_cases()[3];
  const std::vector<float> map = sum_kernels(*reference, sums);
  EXPECT_EQ(test::compare_sums(map, map, sums).in_tolerance, 0.0);
  for (const float wrong : {1.000001F, 0.999999F, std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> actual = map;
    actual[20 * kKernelNodes + 30] *= wrong;
    EXPECT_GT(test::compare_sums(actual, map, sums).in_tolerance, 1.0);
  }
}

TEST(ReferenceForecast, FindsByDistanceThenByTheLargerIndex) {
  SearchCase c;
  c.axis = {{0.0, 0.5, -0.5, std::nan(""), 0.5, 0.25}};
  c.required = {1.0, 1.0, 1.0, 1.0, 1.0, std::nan("")};
  c.at = {0.0, 0.0, 0.0};
  c.last = {5, 2, -1};
  c.count = 3;
  const Neighbours found = find_nearest(*make_reference_forecast_backend(), c);
  EXPECT_EQ(found.index, (std::vector<std::int32_t>{0, 4, 2, 0, 2, 1, -1, -1, -1}));
  EXPECT_EQ(found.candidates, (std::vector<std::int32_t>{4, 3, 0}));
  EXPECT_EQ(found.distance2[1], 0.25);
  EXPECT_TRUE(std::isnan(found.distance2[8]));
}

TEST(ReferenceForecast, OnePointIsItsKernel) {
  PairSumsCase c;
  c.points = 1;
  c.axis[0] = {-1.0 + 2.0 * 20.0 / 63.0};
  c.axis[3] = {0.0};
  c.value[0] = {-2.0};
  const std::vector<float> sums = sum_kernels(*make_reference_forecast_backend(), c);
  constexpr std::size_t kMap = kKernelNodes * kKernelNodes, kPair = 2 * kKernelSums * kMap;
  const double x = 1.0 / 63.0, k = std::exp(-x * x / (2.0 * 0.15 * 0.15));
  const std::size_t at = kPair + 20 * kKernelNodes + 32;
  EXPECT_NEAR(sums[at], k, 1e-7);
  EXPECT_EQ(sums[at + kMap], 0.0F);
  EXPECT_NEAR(sums[at + 2 * kMap], 2.0 * k, 2e-7);
  EXPECT_NEAR(sums[at + 3 * kMap], k * k, 1e-7);
  EXPECT_EQ(sums[at - kPair], 0.0F);
}

TEST(CpuForecast, NearestEqualsReferenceToTheBit) {
  const auto reference = make_reference_forecast_backend(), cpu = make_cpu_forecast_backend();
  EXPECT_TRUE(cpu->status().usable);
  for (const SearchCase& c : test::search_cases()) {
    EXPECT_TRUE(same_neighbours(find_nearest(*cpu, c), find_nearest(*reference, c))) << c.name;
  }
}

TEST(CpuForecast, PairSumsEquivalentToReference) {
  const auto reference = make_reference_forecast_backend(), cpu = make_cpu_forecast_backend();
  std::vector<PairSumsCase> cases = test::pair_sums_cases();
  cases.push_back(test::long_pair_sums(3780));
  for (const PairSumsCase& c : cases) {
    const auto worst = test::compare_sums(sum_kernels(*cpu, c), sum_kernels(*reference, c), c);
    EXPECT_LE(worst.in_tolerance, 1.0) << worst.where;
  }
}

TEST(CpuForecast, SameBitsTogetherAndAloneOnAnyNumberOfThreads) {
  const auto cpu = make_cpu_forecast_backend();
  const auto searches = test::many_searches(300);
  const auto sums = test::many_pair_sums(40);
  for (const std::size_t threads : {1U, 2U, 7U}) {
    const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
    const auto found = find_nearest(*cpu, searches);
    for (std::size_t i = 0; i < searches.size(); ++i) {
      EXPECT_TRUE(same_neighbours(found[i], find_nearest(*cpu, searches[i]))) << searches[i].name;
    }
    const auto maps = sum_kernels(*cpu, sums);
    for (std::size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(maps[i], sum_kernels(*cpu, sums[i])) << sums[i].name;
  }
}

}  // namespace
}  // namespace greekgrid
