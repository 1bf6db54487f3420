#include "greekgrid/host/forecast.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "ensemble.hpp"
#include "greekgrid/kernels/formulas/normal.hpp"
#include "greekgrid/kernels/nearest.hpp"

namespace greekgrid {

using forecast_detail::Ensemble;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The quantile median of |y|: the two halves of an ascending ensemble merged from the inside out.
double volatility_median_of(const Ensemble& ensemble) {
  std::array<double, kNeighbours> y, w;
  std::size_t up =
      static_cast<std::size_t>(std::lower_bound(ensemble.y.begin(), ensemble.y.end(), 0.0) - ensemble.y.begin());
  std::size_t down = up;  // negative outcomes that are left
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    const bool take_up = down == 0 || (up < kNeighbours && ensemble.y[up] <= -ensemble.y[down - 1]);
    const std::size_t from = take_up ? up++ : --down;
    y[i] = std::abs(ensemble.y[from]);
    w[i] = ensemble.w[from];
  }
  return forecast_detail::quantiles<1>(y, w, {0.5})[0];
}

}  // namespace

ForecastData make_forecast_data(const PredictorSeries& predictors, int horizon) {
  assert(horizon >= 1);
  ForecastData data;
  data.horizon = horizon;
  for (std::size_t p = 0; p < kPredictors; ++p) data.z[p] = predictors.z[p];
  const std::size_t sessions = predictors.r.size();
  const auto h = static_cast<std::size_t>(horizon);
  const double root = std::sqrt(static_cast<double>(horizon));
  data.outcome.assign(sessions, kNaN);
  for (std::size_t s = 0; s + h < sessions; ++s) {
    if (!(predictors.mad[s] > 0.0)) continue;
    double ratio = 1.0;
    for (std::size_t i = s + 1; i <= s + h; ++i) ratio *= 1.0 + predictors.r[i];
    const double outcome = (ratio - 1.0) / (predictors.mad[s] * root);
    if (std::isfinite(outcome)) data.outcome[s] = outcome;
  }
  return data;
}

HorizonData make_forecast_data(const PredictorSeries& predictors) {
  HorizonData data;
  for (std::size_t h = 0; h < kHorizons.size(); ++h) data[h] = make_forecast_data(predictors, kHorizons[h]);
  return data;
}

PredictorSet valid_set(const std::array<double, kPredictors>& z) {
  PredictorSet set = 0;
  for (std::size_t p = 0; p < kPredictors; ++p) {
    if (std::isfinite(z[p])) set = static_cast<PredictorSet>(set | (1U << p));
  }
  return (set & kPV) == kPV ? set : PredictorSet{0};
}

Forecast forecast(const ForecastData& data, const ForecastQuery& query, PredictorSet set, bool with_median) {
  Forecast result;
  result.set = set;
  const forecast_detail::SetColumns columns = forecast_detail::columns_of(data, set, query.z);
  bool valid = columns.count > 0;
  for (std::size_t i = 0; i < columns.count; ++i) valid = valid && std::isfinite(columns.at[i]);
  if (!valid) {
    result.status = ForecastStatus::kNoPredictors;
    return result;
  }
  const std::size_t sessions =
      query.last < 0 ? 0 : std::min(static_cast<std::size_t>(query.last) + 1, data.outcome.size());
  if (sessions < kNeighbours) return result;
  const PointsView points{columns.column, columns.count, data.outcome.data(), sessions};
  std::array<std::int32_t, kNeighbours> session;
  std::array<double, kNeighbours> distance2;
  result.candidates =
      nearest(points, std::span(columns.at).first(columns.count), session, distance2, NearestAnswer::kOrderAndCount);
  if (result.candidates < kNeighbours) return result;
  result.status = ForecastStatus::kOk;
  result.session = session;
  result.distance2 = distance2;

  std::array<std::uint8_t, kNeighbours> order;
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    const auto s = static_cast<std::size_t>(session[i]);
    result.outcome[i] = data.outcome[s];
    result.weight[i] = forecast_detail::distance_factor(distance2[i], distance2.back()) *
                       forecast_detail::age_factor(static_cast<double>(query.now) - static_cast<double>(s));
  }
  std::sort(order.begin(), order.end(), [&](std::uint8_t a, std::uint8_t b) {
    return result.outcome[a] != result.outcome[b] ? result.outcome[a] < result.outcome[b] : session[a] < session[b];
  });
  Ensemble ensemble;
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    ensemble.y[i] = result.outcome[order[i]];
    ensemble.w[i] = result.weight[order[i]];
  }
  ensemble.normalise();
  double variance = 0.0;
  result.mean = ensemble.mean();
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    result.weight[order[i]] = ensemble.w[i];
    result.volatility += ensemble.w[i] * std::abs(ensemble.y[i]);
    const double difference = ensemble.y[i] - result.mean;
    variance += ensemble.w[i] * (difference * difference);
  }
  result.n_eff = 1.0 / ensemble.sum_of_squares();
  result.volatility_median = volatility_median_of(ensemble);
  result.quantile = forecast_detail::quantiles(ensemble.y, ensemble.w, kForecastProbabilities);
  // The rounding of the mean gives outcomes that are all the same a deviation: it is 0.
  const bool same = ensemble.y.front() == ensemble.y.back();
  result.bandwidth = same ? 0.0 : 1.06 * std::sqrt(variance) * std::pow(result.n_eff, -0.2);
  if (!with_median) {
    result.median = kNaN;
  } else {
    result.median =
        result.bandwidth > 0.0 ? density_median(ensemble.y, ensemble.w, result.bandwidth) : result.quantile[2];
  }
  return result;
}

double weighted_quantile(std::span<const double> y, std::span<const double> w, std::span<const std::uint8_t> order,
                         double probability) {
  assert(!y.empty() && w.size() == y.size() && order.size() == y.size());
  double at = 0.5 * w[order[0]];
  if (probability <= at) return y[order[0]];
  for (std::size_t i = 1; i < order.size(); ++i) {
    const double before = at;
    at += 0.5 * (w[order[i - 1]] + w[order[i]]);
    if (at < probability) continue;
    const double low = y[order[i - 1]];
    const double u = at > before ? (probability - before) / (at - before) : 1.0;
    return low + u * (y[order[i]] - low);
  }
  return y[order.back()];
}

double density_median(std::span<const double> y, std::span<const double> w, double bandwidth) {
  assert(!y.empty() && bandwidth > 0.0);
  double low = y[0], high = y[0], total = 0.0, m = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    low = std::min(low, y[i]);
    high = std::max(high, y[i]);
    total += w[i];
    m += w[i] * y[i];
  }
  m = std::clamp(m / total, low, high);
  const double tolerance = 1e-13 * (high - low);
  // f = sum w (2 Phi - 1) = sum w erf(u/sqrt 2): near its root no 1/2 is subtracted. Halley's step, a bisection where
  // it leaves the bracket or makes it no smaller than half within three steps.
  double width = high - low;
  for (int step = 0; step < 400; ++step) {
    double f = 0.0, f1 = 0.0, f2 = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double u = (m - y[i]) / bandwidth;
      const double density = w[i] * formulas::normal_density(u);
      f += w[i] * std::erf(u * (0.5 * std::numbers::sqrt2));
      f1 += density;
      f2 -= density * u;
    }
    if (f == 0.0) return m;
    (f > 0.0 ? high : low) = m;
    if (high - low <= tolerance) return 0.5 * (low + high);
    // f' = 2 f1 / b, f'' = 2 f2 / b^2
    const double newton = f * bandwidth / (2.0 * f1);
    const double halley = newton / (1.0 - 0.5 * newton * f2 / (f1 * bandwidth));
    double next = m - halley;
    const bool slow = step % 3 == 2 && high - low > 0.5 * width;
    if (step % 3 == 2) width = high - low;
    if (std::abs(halley) <= tolerance && next >= low && next <= high) return next;
    if (!(next > low && next < high) || (slow && std::abs(halley) > 0.25 * width)) next = low + 0.5 * (high - low);
    if (next == low || next == high) return next;
    m = next;
  }
  return m;
}

double crps(std::span<const double> y, std::span<const double> w, double came, bool fair) {
  assert(!y.empty() && w.size() == y.size());
  std::vector<std::size_t> order(y.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return y[a] != y[b] ? y[a] < y[b] : a < b; });
  std::vector<double> sorted(y.size()), weight(y.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    sorted[i] = y[order[i]];
    weight[i] = w[order[i]];
  }
  const forecast_detail::Score score = forecast_detail::score(sorted, weight, came);
  return score.distance - (fair && score.squares < 1.0 ? score.spread / (1.0 - score.squares) : score.spread);
}

double crps_normal(double deviation, double came) {
  if (!(deviation > 0.0)) return std::abs(came) + 0.0 * deviation;
  const double z = came / deviation;
  return deviation *
         (z * std::erf(z * (0.5 * std::numbers::sqrt2)) + 2.0 * formulas::normal_density(z) - std::numbers::inv_sqrtpi);
}

}  // namespace greekgrid
