#pragma once

/// @file
/// Series for tests of forecasts: predictors and returns drawn at random.

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>

#include "greekgrid/host/predictors.hpp"

namespace greekgrid_test {

/// Standings that move as slowly as windows of 21 sessions let them, uniform on (-1, 1); white noise returns. `missing`
/// of the standings of each predictor are NaN, and the first 40 sessions have none.
inline greekgrid::PredictorSeries random_predictors(std::mt19937_64& generator, std::size_t sessions,
                                                    double missing = 0.0) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kMemory = 0.95;
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> uniform;
  greekgrid::PredictorSeries series;
  series.r.resize(sessions);
  series.mad.resize(sessions);
  for (auto& z : series.z) {
    z.resize(sessions);
    double state = normal(generator);
    for (double& value : z) {
      state = kMemory * state + std::sqrt(1.0 - kMemory * kMemory) * normal(generator);
      value = uniform(generator) < missing ? kNaN : std::erf(state * std::sqrt(0.5));
    }
    for (std::size_t s = 0; s < sessions && s < 40; ++s) z[s] = kNaN;
  }
  for (std::size_t s = 0; s < sessions; ++s) {
    series.r[s] = s == 0 ? kNaN : 0.01 * normal(generator);
    series.mad[s] = s < 21 ? kNaN : 0.008;
  }
  return series;
}

}  // namespace greekgrid_test
