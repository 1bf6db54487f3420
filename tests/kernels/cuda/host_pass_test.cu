// The kernel bodies as nvcc's host pass compiles them, run through the emulator: the same source that the device gets
// has been through nvcc's front end.

#include <gtest/gtest.h>

#include "device_backend.hpp"
#include "equivalence.hpp"
#include "fake_device.hpp"
#include "greekgrid/kernels/formulas/implied_volatility.hpp"

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

/// Compiled for the device only to show that the inversion is device code.
__global__ void invert(const double* price, const double* strike, double* sigma) {
  sigma[threadIdx.x] =
      formulas::implied_volatility(1.0, price[threadIdx.x], 100.0, strike[threadIdx.x], 1.0, 0.5).sigma;
}

TEST(HostPass, InvertsTheBlackFormula) {
  EXPECT_NE(reinterpret_cast<const void*>(&invert), nullptr);
  for (const double s : {0.01, 0.3, 2.0}) {
    for (const double x : {0.0, -0.1, -1.0}) {
      const double beta = formulas::normalised_black(x, s);
      if (beta < 1e-290) continue;
      EXPECT_NEAR(formulas::implied_total_deviation(beta, x), s, 1e-14 * s) << "x = " << x;
    }
  }
}

}  // namespace
}  // namespace greekgrid
