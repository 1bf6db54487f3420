// What only silicon can say. Skips, with the reason, where no device answers; scripts/gpu_check.sh turns that into a
// failure.

#include <gtest/gtest.h>

#include "equivalence.hpp"
#include "greekgrid/kernels/backend.hpp"
#include "greekgrid_test/histories.hpp"
#include "greekgrid_test/quotes.hpp"
#include "greekgrid_test/walls.hpp"

namespace greekgrid {
namespace {

#define GREEKGRID_REQUIRE_DEVICE(backend) \
  if (!(backend).status().usable) GTEST_SKIP() << "no device (" << (backend).status().detail << ")"

void expect_all_equivalent(Precision precision, double tolerance) {
  const auto backend = make_cuda_backend(precision);
  GREEKGRID_REQUIRE_DEVICE(*backend);
  const auto reference = make_reference_backend();
  double worst = 0.0;
  for (const test::SyntheticCase& item : test::synthetic_cases()) {
    for (const GreekSet greeks : {kGreeks3, kGreeks11, GreekSet::all()}) {
      test::expect_equivalent(test::evaluate_alone(*backend, item, greeks),
                              test::evaluate_alone(*reference, item, greeks), item, greeks, tolerance, worst);
    }
  }
  testing::Test::RecordProperty("worst", testing::PrintToString(worst));
}

TEST(Gpu, Fp64EquivalentToReference) {
  expect_all_equivalent(Precision::kFp64, 1e-11);
}
TEST(Gpu, Fp32EquivalentToReference) {
  expect_all_equivalent(Precision::kFp32, 5e-6);
}

TEST(Gpu, SpectralEquivalentToReference) {
  for (const Precision precision : {Precision::kFp64, Precision::kFp32}) {
    const double tolerance = precision == Precision::kFp64 ? 2e-8 : 5e-6;
    const auto backend = make_cuda_backend(precision, {Evaluator::kSpectral, tolerance});
    GREEKGRID_REQUIRE_DEVICE(*backend);
    const auto reference = make_reference_backend();
    double worst = 0.0;
    for (const test::SyntheticCase& item : test::synthetic_cases()) {
      for (const GreekSet greeks : {kGreeks3, kGreeks11, GreekSet::all()}) {
        test::expect_equivalent(test::evaluate_alone(*backend, item, greeks),
                                test::evaluate_alone(*reference, item, greeks), item, greeks, tolerance, worst);
      }
    }
  }
}

TEST(Gpu, StickinessOfOneGivesTheBitsOfStickyStrike) {
  const auto backend = make_cuda_backend(Precision::kFp32);
  GREEKGRID_REQUIRE_DEVICE(*backend);
  for (test::SyntheticCase item : test::synthetic_cases()) {
    item.grid.rule = IvRule::kStickyStrike;
    const auto sticky = test::evaluate_alone(*backend, item, kGreeks3);
    item.grid.rule = IvRule::kSkewStickiness;
    item.grid.parameter = 1.0;
    EXPECT_EQ(test::evaluate_alone(*backend, item, kGreeks3), sticky) << item.name;
  }
}

TEST(Gpu, SameBitsTogetherAndAlone) {
  const auto backend = make_cuda_backend(Precision::kFp32);
  GREEKGRID_REQUIRE_DEVICE(*backend);
  const auto cases = test::synthetic_cases();
  std::vector<std::vector<double>> together(cases.size());
  std::vector<ExposureJob> jobs;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    together[i].assign(cases[i].values(kGreeks11), 0.0);
    jobs.push_back(cases[i].job(together[i]));
  }
  for (int repeat = 0; repeat < 3; ++repeat) {
    backend->evaluate(kGreeks11, jobs);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      EXPECT_EQ(together[i], test::evaluate_alone(*backend, cases[i], kGreeks11)) << cases[i].name;
    }
  }
}

TEST(Gpu, InversionEquivalentToReference) {
  const auto backend = make_cuda_backend(Precision::kFp64);
  GREEKGRID_REQUIRE_DEVICE(*backend);
  const auto reference = make_reference_backend();
  for (const auto& item : test::quote_cases()) {
    const QuoteView quotes = item.quotes.view();
    const auto first = test::invert(*backend, quotes);
    const auto worst = test::compare_quotes(first, test::invert(*reference, quotes), quotes);
    EXPECT_LE(worst.in_attainable, test::kQuoteTolerance) << item.name << ", " << worst.quoted;
    EXPECT_EQ(test::compare_quotes(test::invert(*backend, quotes), first, quotes).in_attainable, 0.0) << item.name;
  }
}

TEST(Gpu, WallsEquivalentToReference) {
  const auto backend = make_cuda_backend(Precision::kFp32);
  GREEKGRID_REQUIRE_DEVICE(*backend);
  const auto reference = make_reference_backend();
  for (const test::WallCase& c : test::wall_cases()) {
    const auto first = test::find_walls(*backend, c);
    const auto worst = test::compare_walls(first, test::find_walls(*reference, c), c);
    EXPECT_LE(worst.in_tolerance, 1.0) << c.name << ", " << worst.where;
    EXPECT_TRUE(test::same_walls(test::find_walls(*backend, c), first)) << c.name;
  }
}

TEST(Gpu, NearestEqualsReferenceToTheBit) {
  const auto backend = make_cuda_forecast_backend();
  GREEKGRID_REQUIRE_DEVICE(*backend);
  const auto reference = make_reference_forecast_backend();
  std::vector<test::SearchCase> cases = test::search_cases();
  for (test::SearchCase& c : test::many_searches(300)) cases.push_back(std::move(c));
  cases.push_back(test::walk_search(1500));
  const auto together = test::find_nearest(*backend, cases);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto expected = test::find_nearest(*reference, cases[i]);
    EXPECT_TRUE(test::same_neighbours(together[i], expected)) << cases[i].name;
    EXPECT_TRUE(test::same_neighbours(test::find_nearest(*backend, cases[i]), expected)) << cases[i].name;
  }
}

TEST(Gpu, PairSumsEquivalentToReference) {
  const auto backend = make_cuda_forecast_backend();
  GREEKGRID_REQUIRE_DEVICE(*backend);
  const auto reference = make_reference_forecast_backend();
  std::vector<test::PairSumsCase> cases = test::pair_sums_cases();
  for (test::PairSumsCase& c : test::many_pair_sums(60)) cases.push_back(std::move(c));
  cases.push_back(test::long_pair_sums(3780));
  const auto together = test::sum_kernels(*backend, cases);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto worst = test::compare_sums(together[i], test::sum_kernels(*reference, cases[i]), cases[i]);
    EXPECT_LE(worst.in_tolerance, 0.25) << worst.where;
    EXPECT_EQ(test::sum_kernels(*backend, cases[i]), together[i]) << cases[i].name;
  }
}

}  // namespace
}  // namespace greekgrid
