// The kernel bodies as nvcc's host pass compiles them, run through the emulator: the same source that the device gets
// has been through nvcc's front end.

#include <gtest/gtest.h>

#include "device_backend.hpp"
#include "device_forecast.hpp"
#include "equivalence.hpp"
#include "fake_device.hpp"
#include "greekgrid_test/histories.hpp"
#include "greekgrid_test/quotes.hpp"
#include "greekgrid_test/walls.hpp"

namespace greekgrid {
namespace {

void expect_all_equivalent(Precision precision, GreekSet greeks, double tolerance) {
  const auto reference = make_reference_backend();
  test::FakeDeviceLog log;
  const auto backend = cuda::make_device_backend(std::make_unique<test::FakeDevice>(log), precision);
  double worst = 0.0;
  for (const test::SyntheticCase& item : test::synthetic_cases()) {
    test::expect_equivalent(test::evaluate_alone(*backend, item, greeks),
                            test::evaluate_alone(*reference, item, greeks), item, greeks, tolerance, worst);
  }
  EXPECT_TRUE(log.faults.empty());
}

TEST(HostPass, Fp64EquivalentToReference) {
  expect_all_equivalent(Precision::kFp64, GreekSet::all(), 1e-11);
}
TEST(HostPass, Fp32EquivalentToReference) {
  expect_all_equivalent(Precision::kFp32, kGreeks11, 5e-6);
}

TEST(HostPass, SpectralEquivalentToReference) {
  const auto reference = make_reference_backend();
  for (const Precision precision : {Precision::kFp64, Precision::kFp32}) {
    const double tolerance = precision == Precision::kFp64 ? 1e-8 : 5e-6;
    test::FakeDeviceLog log;
    cuda::DeviceBackendOptions options;
    options.evaluator = {Evaluator::kSpectral, tolerance};
    const auto backend = cuda::make_device_backend(std::make_unique<test::FakeDevice>(log), precision, options);
    double worst = 0.0;
    for (const test::SyntheticCase& item : test::synthetic_cases()) {
      test::expect_equivalent(test::evaluate_alone(*backend, item, kGreeks11),
                              test::evaluate_alone(*reference, item, kGreeks11), item, kGreeks11, tolerance, worst);
    }
    EXPECT_TRUE(log.faults.empty());
  }
}

TEST(HostPass, InversionEquivalentToReference) {
  const auto reference = make_reference_backend();
  test::FakeDeviceLog log;
  const auto backend = cuda::make_device_backend(std::make_unique<test::FakeDevice>(log), Precision::kFp64);
  for (const auto& item : test::quote_cases()) {
    const QuoteView quotes = item.quotes.view();
    const auto worst = test::compare_quotes(test::invert(*backend, quotes), test::invert(*reference, quotes), quotes);
    EXPECT_LE(worst.in_attainable, test::kQuoteTolerance) << item.name << ", " << worst.quoted;
  }
  EXPECT_TRUE(log.faults.empty());
}

TEST(HostPass, WallsEquivalentToReference) {
  const auto reference = make_reference_backend();
  test::FakeDeviceLog log;
  const auto backend = cuda::make_device_backend(std::make_unique<test::FakeDevice>(log), Precision::kFp64);
  for (const test::WallCase& c : test::wall_cases()) {
    const auto worst = test::compare_walls(test::find_walls(*backend, c), test::find_walls(*reference, c), c);
    EXPECT_LE(worst.in_tolerance, 1.0) << c.name << ", " << worst.where;
  }
  EXPECT_TRUE(log.faults.empty());
}

TEST(HostPass, NearestEqualsReferenceToTheBit) {
  const auto reference = make_reference_forecast_backend();
  test::FakeDeviceLog log;
  const auto backend = cuda::make_device_forecast_backend(std::make_unique<test::FakeDevice>(log));
  for (const test::SearchCase& c : test::search_cases()) {
    EXPECT_TRUE(test::same_neighbours(test::find_nearest(*backend, c), test::find_nearest(*reference, c))) << c.name;
  }
  EXPECT_TRUE(log.faults.empty());
}

TEST(HostPass, PairSumsEquivalentToReference) {
  const auto reference = make_reference_forecast_backend();
  test::FakeDeviceLog log;
  const auto backend = cuda::make_device_forecast_backend(std::make_unique<test::FakeDevice>(log));
  for (const test::PairSumsCase& c : test::pair_sums_cases()) {
    const auto worst = test::compare_sums(test::sum_kernels(*backend, c), test::sum_kernels(*reference, c), c);
    EXPECT_LE(worst.in_tolerance, 0.25) << worst.where;
  }
  EXPECT_TRUE(log.faults.empty());
}

}  // namespace
}  // namespace greekgrid
