#include "greekgrid/host/forecast.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "ensemble.hpp"
#include "greekgrid/kernels/formulas/normal.hpp"
#include "greekgrid/kernels/nearest.hpp"
#include "greekgrid/kernels/normal_mixture.hpp"

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

namespace {
constexpr std::array<PredictorSet, 4> kSets = {kPVGD, kPVG, kPVD, kPV};
}  // namespace

UsableSet::UsableSet(const ForecastData& data) {
  for (std::size_t k = 0; k < kSets.size(); ++k) {
    std::int32_t count = 0;
    for (std::size_t s = 0; s < data.outcome.size(); ++s) {
      bool known = std::isfinite(data.outcome[s]);
      for (std::size_t p = 0; p < kPredictors; ++p)
        known = known && (((kSets[k] >> p) & 1) == 0 || std::isfinite(data.z[p][s]));
      count += known ? 1 : 0;
      count_[k].push_back(count);
    }
  }
}

PredictorSet UsableSet::operator()(const std::array<double, kPredictors>& z, std::ptrdiff_t last) const {
  const PredictorSet valid = valid_set(z);
  if (valid == 0 || last < 0) return valid;
  const auto count = [&](std::size_t k) {
    const bool is_valid = (valid & kSets[k]) == kSets[k];
    return is_valid && !count_[k].empty() ? count_[k][std::min(static_cast<std::size_t>(last), count_[k].size() - 1)]
                                          : 0;
  };
  const auto enough = [&](std::size_t k) { return count(k) >= static_cast<std::int32_t>(kNeighbours); };
  if (enough(0)) return kSets[0];
  const std::size_t better = count(2) > count(1) ? 2 : 1;
  if (enough(better)) return kSets[better];
  return enough(3) ? kSets[3] : valid;
}

namespace {

// Everything that is read off the neighbours.
// @param age_of factor of an age in sessions
template <class AgeOf>
void read_off(const ForecastData& data, std::size_t now, bool with_median, AgeOf age_of, Forecast& result) {
  result.status = ForecastStatus::kOk;
  std::array<double, kNeighbours> factor;
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    const auto s = static_cast<std::size_t>(result.session[i]);
    result.outcome[i] = data.outcome[s];
    factor[i] = age_of(now - s);
  }
  weigh_by_distance(result.distance2, factor, result.weight);
  std::array<std::uint8_t, kNeighbours> order;
  ascending_order(result.outcome, result.session, order);
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
}

std::size_t sessions_up_to(const ForecastData& data, std::ptrdiff_t last) {
  return last < 0 ? 0 : std::min(static_cast<std::size_t>(last) + 1, data.outcome.size());
}

bool all_valid(const forecast_detail::SetColumns& columns) {
  bool valid = columns.count > 0;
  for (std::size_t i = 0; i < columns.count; ++i) valid = valid && std::isfinite(columns.at[i]);
  return valid;
}

}  // namespace

Forecast forecast(const ForecastData& data, const ForecastQuery& query, PredictorSet set, bool with_median) {
  Forecast result;
  result.set = set;
  const forecast_detail::SetColumns columns = forecast_detail::columns_of(data, set, query.z);
  if (!all_valid(columns)) {
    result.status = ForecastStatus::kNoPredictors;
    return result;
  }
  const std::size_t sessions = sessions_up_to(data, query.last);
  if (sessions < kNeighbours) return result;
  const PointsView points{columns.column, columns.count, data.outcome.data(), sessions, {}};
  result.candidates = nearest(points, std::span(columns.at).first(columns.count), result.session, result.distance2,
                              NearestAnswer::kOrderAndCount);
  if (result.candidates < kNeighbours) {
    result.session = {};
    result.distance2 = {};
    return result;
  }
  read_off(
      data, query.now, with_median,
      [](std::size_t age) { return forecast_detail::age_factor(static_cast<double>(age)); }, result);
  return result;
}

ForecastPath::ForecastPath(const ForecastData& data, std::ptrdiff_t last, std::size_t now)
    : data_(data), sessions_(sessions_up_to(data, last)), now_(now) {
  age_.reserve(now + 1);
  for (std::size_t age = 0; age <= now; ++age) {
    age_.push_back(forecast_detail::age_factor(static_cast<double>(age)));
  }
}

void ForecastPath::take_candidates(PredictorSet set) {
  set_ = set;
  candidates_.clear();
  near_.clear();
  const forecast_detail::SetColumns columns = forecast_detail::columns_of(data_, set, {});
  for (std::size_t s = 0; s < sessions_; ++s) {
    bool valid = std::isfinite(data_.outcome[s]);
    for (std::size_t axis = 0; axis < columns.count; ++axis) valid = valid && !std::isnan(columns.column[axis][s]);
    if (valid) candidates_.add(columns, s, static_cast<std::int32_t>(s));
  }
}

void ForecastPath::Places::clear() {
  for (auto& column : axis) column.clear();
  session.clear();
}

void ForecastPath::Places::add(const forecast_detail::SetColumns& from, std::size_t i, std::int32_t s) {
  for (std::size_t a = 0; a < from.count; ++a) axis[a].push_back(from.column[a][i]);
  session.push_back(s);
}

forecast_detail::SetColumns ForecastPath::Places::columns(std::size_t count) const {
  forecast_detail::SetColumns result;
  result.count = count;
  for (std::size_t a = 0; a < count; ++a) result.column[a] = axis[a].data();
  return result;
}

bool ForecastPath::find(const Places& places, const std::array<double, kPredictors>& at, std::size_t axes,
                        Forecast& result) const {
  if (places.session.size() < kNeighbours) return false;
  const PointsView points{places.columns(axes).column, axes, nullptr, places.session.size(), {}};
  nearest(points, std::span(at).first(axes), result.session, result.distance2, NearestAnswer::kOrderAndCount);
  // Places stand in the order of their sessions, so ties are what they are among sessions.
  for (std::int32_t& s : result.session) s = places.session[static_cast<std::size_t>(s)];
  return true;
}

Forecast ForecastPath::operator()(const std::array<double, kPredictors>& z, PredictorSet set, bool with_median) {
  Forecast result;
  result.set = set;
  const forecast_detail::SetColumns columns = forecast_detail::columns_of(data_, set, z);
  const std::size_t axes = columns.count;
  if (!all_valid(columns)) {
    result.status = ForecastStatus::kNoPredictors;
    return result;
  }
  if (set != set_) take_candidates(set);
  result.candidates = candidates_.session.size();
  if (result.candidates < kNeighbours) return result;
  // Whatever is not kept near lies beyond the radius, so at least radius - moved away from here. Roundings are of the
  // order of 1e-15.
  const auto moved = [&] {
    double sum = 0.0;
    for (std::size_t a = 0; a < axes; ++a) sum += (columns.at[a] - centre_[a]) * (columns.at[a] - centre_[a]);
    return std::sqrt(sum);
  };
  const bool known =
      find(near_, columns.at, axes, result) && std::sqrt(result.distance2.back()) + moved() <= radius_ * (1.0 - 1e-12);
  if (!known) {
    find(candidates_, columns.at, axes, result);
    // About four times the neighbours: fewer would be left behind soon, more would take longer to search.
    const double radius2 = result.distance2.back() * std::pow(4.0, 2.0 / static_cast<double>(axes));
    centre_ = columns.at;
    radius_ = std::sqrt(radius2);
    near_.clear();
    const forecast_detail::SetColumns from = candidates_.columns(axes);
    for (std::size_t i = 0; i < candidates_.session.size(); ++i) {
      double distance2 = 0.0;
      for (std::size_t a = 0; a < axes; ++a) {
        const double difference = from.column[a][i] - centre_[a];
        distance2 += difference * difference;
      }
      if (distance2 <= radius2) near_.add(from, i, candidates_.session[i]);
    }
  }
  read_off(
      data_, now_, with_median, [&](std::size_t age) { return age_[age]; }, result);
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
  constexpr std::size_t kFew = 64;
  std::array<double, 2 * kFew> few;
  std::vector<double> many;
  const std::size_t n = (y.size() + kMixtureMultiple - 1) / kMixtureMultiple * kMixtureMultiple;
  if (n > kFew) many.resize(2 * n);
  double* padded = n > kFew ? many.data() : few.data();
  std::fill_n(padded, 2 * n, 0.0);
  std::copy(y.begin(), y.end(), padded);
  std::copy(w.begin(), w.end(), padded + n);
  const double tolerance = 1e-13 * (high - low);
  // f = sum w (N - 1/2): near its root no 1/2 is subtracted. Halley's step, a bisection where it leaves the bracket or
  // makes it no smaller than half within three steps.
  double width = high - low;
  for (int step = 0; step < 400; ++step) {
    const MixtureSums sums = normal_mixture({padded, n}, {padded + n, n}, m, bandwidth);
    const double f = sums.excess;
    if (f == 0.0) return m;
    (f > 0.0 ? high : low) = m;
    if (high - low <= tolerance) return 0.5 * (low + high);
    // f' = density / b, f'' = slope / b^2
    const double newton = f * bandwidth / sums.density;
    const double halley = newton / (1.0 - 0.5 * newton * sums.slope / (sums.density * bandwidth));
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
