#pragma once

/// @file
/// The comparison of one backend's surfaces with another's, shared by the tests of the CUDA backend.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "greekgrid/kernels/backend.hpp"
#include "synthetic_book.hpp"

namespace greekgrid::test {

inline std::vector<double> evaluate_alone(Backend& backend, const SyntheticCase& item, GreekSet greeks) {
  std::vector<double> exposure(item.values(greeks), std::nan(""));
  const ExposureJob job = item.job(exposure);
  backend.evaluate(greeks, {&job, 1});
  return exposure;
}

/// Expects each surface (Greek, position model) within tolerance of its largest magnitude; raises worst to the largest
/// such error seen.
inline void expect_equivalent(const std::vector<double>& values, const std::vector<double>& expected,
                              const SyntheticCase& item, GreekSet greeks, double tolerance, double& worst) {
  ASSERT_EQ(values.size(), expected.size());
  const std::size_t scenarios = item.grid.view().scenarios();
  std::size_t at = 0;
  for (const Greek greek : kAllGreeks) {
    if (!greeks.contains(greek)) continue;
    for (std::size_t w = 0; w < item.positions; ++w, at += scenarios) {
      double maximum = 0.0, error = 0.0;
      for (std::size_t k = at; k < at + scenarios; ++k) {
        ASSERT_TRUE(std::isfinite(values[k])) << item.name << " " << name(greek) << " scenario " << k - at;
        maximum = std::max(maximum, std::abs(expected[k]));
        error = std::max(error, std::abs(values[k] - expected[k]));
      }
      EXPECT_LE(error, tolerance * maximum) << item.name << ", " << name(greek) << ", position " << w;
      if (maximum > 0.0) worst = std::max(worst, error / maximum);
    }
  }
}

}  // namespace greekgrid::test
