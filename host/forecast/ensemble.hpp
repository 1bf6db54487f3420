#pragma once

/// @file
/// Weighted outcomes in ascending order and what is read off them; shared by forecasts and their record, so that the
/// record is of exactly what is forecast.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "greekgrid/host/forecast.hpp"

namespace greekgrid::forecast_detail {

/// The factor of a neighbour's age in sessions.
inline double age_factor(double age) {
  return std::exp2(-age / kHalfLife);
}

/// Outcomes ascending (ties: the earlier session first) with weights that sum to 1.
struct Ensemble {
  std::array<double, kNeighbours> y, w;

  void normalise() {
    double total = 0.0;
    for (const double weight : w) total += weight;
    const double scale = 1.0 / total;
    for (double& weight : w) weight *= scale;
  }
  [[nodiscard]] double mean() const {
    double sum = 0.0;
    for (std::size_t i = 0; i < kNeighbours; ++i) sum += w[i] * y[i];
    return sum;
  }
  [[nodiscard]] double sum_of_squares() const {
    double sum = 0.0;
    for (const double weight : w) sum += weight * weight;
    return sum;
  }
};

/// Quantiles of ascending probabilities by the weighted rule in one pass.
/// @param y ascending
template <std::size_t N>
std::array<double, N> quantiles(std::span<const double> y, std::span<const double> w,
                                const std::array<double, N>& probability) {
  std::array<double, N> result;
  std::size_t i = 0;
  double at = 0.5 * w[0], before = at;  // C_i and C_{i-1}
  for (std::size_t p = 0; p < N; ++p) {
    while (i + 1 < y.size() && at < probability[p]) {
      ++i;
      before = at;
      at += 0.5 * (w[i - 1] + w[i]);
    }
    if (i == 0 || at < probability[p]) {
      result[p] = y[i];
    } else {
      const double u = at > before ? (probability[p] - before) / (at - before) : 1.0;
      result[p] = y[i - 1] + u * (y[i] - y[i - 1]);
    }
  }
  return result;
}

/// How sorted outcomes stand against what came, for one ensemble of any size; records score many at once, see
/// score_ensembles().
struct Score {
  double squares = 0.0;   ///< sum w^2
  double distance = 0.0;  ///< sum w |y_i - came|
  double spread = 0.0;    ///< 1/2 sum sum w_i w_j |y_i - y_j|
};
inline Score score(std::span<const double> y, std::span<const double> w, double came) {
  Score result;
  double up_to = 0.0, last = y[0];
  for (std::size_t i = 0; i < y.size(); ++i) {
    result.squares += w[i] * w[i];
    result.distance += w[i] * std::abs(y[i] - came);
    result.spread += (y[i] - last) * (up_to * (1.0 - up_to));
    up_to += w[i];
    last = y[i];
  }
  return result;
}

/// The columns of a set for a search among the first `count` sessions.
struct SetColumns {
  std::array<const double*, kPredictors> column{};
  std::array<double, kPredictors> at{};
  std::size_t count = 0;
};
inline SetColumns columns_of(const ForecastData& data, PredictorSet set, const std::array<double, kPredictors>& z) {
  SetColumns columns;
  for (std::size_t p = 0; p < kPredictors; ++p) {
    if (((set >> p) & 1) == 0) continue;
    columns.column[columns.count] = data.z[p].data();
    columns.at[columns.count++] = z[p];
  }
  return columns;
}

}  // namespace greekgrid::forecast_detail
