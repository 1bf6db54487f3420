// Neighbours against a sort of everything, and the numbers read off them against plain loops, bisection and hand.

#include "greekgrid/host/forecast.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "forecast_series.hpp"
#include "greekgrid/kernels/ensemble_scores.hpp"
#include "greekgrid/kernels/nearest.hpp"
#include "greekgrid/kernels/normal_mixture.hpp"

namespace greekgrid {
namespace {

using greekgrid_test::random_predictors;
using ::testing::ElementsAreArray;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

struct Found {
  double distance2;
  std::int32_t index;
  bool operator==(const Found& other) const {
    return std::bit_cast<std::uint64_t>(distance2) == std::bit_cast<std::uint64_t>(other.distance2) &&
           index == other.index;
  }
};

// The rule written out: all valid points, sorted.
std::vector<Found> sorted_points(const std::vector<std::vector<double>>& axis, const std::vector<double>& required,
                                 const std::vector<double>& at) {
  std::vector<Found> all;
  for (std::size_t i = 0; i < required.size(); ++i) {
    double distance2 = 0.0;
    bool valid = std::isfinite(required[i]);
    for (std::size_t a = 0; a < axis.size(); ++a) {
      valid = valid && !std::isnan(axis[a][i]);
      const double difference = axis[a][i] - at[a];
      distance2 += difference * difference;
    }
    if (valid) all.push_back({distance2, static_cast<std::int32_t>(i)});
  }
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.index > b.index;
  });
  return all;
}

TEST(Nearest, IsTheSortedListToTheBit) {
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<double> uniform;
  for (int trial = 0; trial < 3000; ++trial) {
    const std::size_t axes = 1 + generator() % 4;
    const std::size_t k = trial % 3 == 0 ? 1 + generator() % kMostNearest : kNeighbours;
    // Sizes about the number asked for, about the blocks of the scan, and long ones.
    const std::size_t about[] = {k, 128, 384, 896, 1920, 3780};
    const std::size_t n = about[generator() % 6] + generator() % 9 - (k > 4 ? 4 : 0);
    const double missing = trial % 4 == 0 ? 0.3 : 0.0;
    // A coarse lattice makes ties of most distances; one of a single point makes them all equal.
    const double lattice = std::array{0.0, 0.0, 0.5, 0.125, 4.0}[generator() % 5];
    const auto draw = [&] {
      const double x = 2.0 * uniform(generator) - 1.0;
      return lattice > 0.0 ? lattice * std::round(x / lattice) : x;
    };
    std::vector<std::vector<double>> axis(axes, std::vector<double>(n));
    std::vector<double> required(n), at(axes);
    for (auto& column : axis) {
      for (double& x : column) x = uniform(generator) < missing ? kNaN : draw();
    }
    for (double& y : required) y = uniform(generator) < missing ? kNaN : uniform(generator);
    for (double& x : at) x = draw();
    if (trial % 7 == 0) {  // the order of a drifting series: far points last or first
      std::sort(axis[0].begin(), axis[0].end(),
                [](double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; });
    }
    PointsView points{{}, axes, required.data(), n};
    for (std::size_t a = 0; a < axes; ++a) points.axis[a] = axis[a].data();
    std::vector<std::int32_t> index(k, -1);
    std::vector<double> distance2(k, -1.0);
    const std::vector<Found> expected = sorted_points(axis, required, at);
    ASSERT_EQ(nearest(points, at, index, distance2, NearestAnswer::kOrderAndCount), expected.size());
    const std::size_t found = std::min(k, expected.size());
    for (std::size_t i = 0; i < found; ++i) {
      ASSERT_EQ((Found{distance2[i], index[i]}), expected[i]) << trial << " n " << n << " k " << k << " at " << i;
    }
    for (std::size_t i = found; i < k; ++i) ASSERT_EQ(index[i], -1);
    // Without an order: the same points.
    std::vector<std::int32_t> loose(k, -1);
    ASSERT_EQ(nearest(points, at, loose, distance2, NearestAnswer::kPoints), found);
    // Through single precision first: the same.
    std::vector<std::vector<float>> rounded;
    PointsView without_required = points;
    without_required.required = nullptr;
    std::vector<double> first = axis[0];
    for (std::size_t i = 0; i < n; ++i) first[i] = std::isfinite(required[i]) ? first[i] : kNaN;
    without_required.axis[0] = first.data();
    if (lattice < 1.0) {  // coordinates of magnitude 1 at most
      rounded.emplace_back(first.begin(), first.end());
      for (std::size_t a = 1; a < axes; ++a) rounded.emplace_back(axis[a].begin(), axis[a].end());
      for (std::size_t a = 0; a < axes; ++a) without_required.rounded[a] = rounded[a].data();
    }
    std::vector<std::int32_t> single(k, -1);
    std::vector<double> single_distance2(k, -1.0);
    ASSERT_EQ(nearest(without_required, at, single, single_distance2, NearestAnswer::kPoints), found);
    for (std::size_t i = 0; i < found; ++i) {
      const auto want = std::find(index.begin(), index.end(), single[i]);
      ASSERT_NE(want, index.end()) << trial;
      ASSERT_EQ(single_distance2[i], expected[static_cast<std::size_t>(want - index.begin())].distance2);
    }
    if (found == k) {
      const double last = expected[k - 1].distance2;
      EXPECT_EQ(farthest(without_required, at, single), last);
      std::vector<std::int32_t> bounded(k, -1);
      ASSERT_EQ(nearest(without_required, at, bounded, single_distance2, NearestAnswer::kPoints, last), k);
      std::sort(bounded.begin(), bounded.end());
      std::sort(single.begin(), single.end());
      ASSERT_EQ(bounded, single) << trial;
    }
    if (found == k) {
      // Whoever knows how far the last one is, or only that it is no farther than this, finds the same.
      for (const double within : {expected[k - 1].distance2, 1.5 * expected[k - 1].distance2}) {
        std::vector<std::int32_t> bounded(k, -1);
        ASSERT_EQ(nearest(points, at, bounded, distance2, NearestAnswer::kOrderAndCount, within), expected.size());
        ASSERT_EQ(bounded, index) << trial;
      }
    }
    std::sort(loose.begin(), loose.end());
    std::sort(index.begin(), index.end());
    ASSERT_EQ(loose, index) << trial;
  }
}

// The loops of every instruction set of this processor.
TEST(Nearest, SameBitsFromEveryInstructionSet) {
  std::mt19937_64 generator(9);
  const PredictorSeries series = random_predictors(generator, 1203, 0.1);
  const ForecastData data = make_forecast_data(series, 5);
  const auto found = [&] {
    std::vector<std::int32_t> sessions;
    std::vector<double> distances;
    std::array<std::int32_t, kNeighbours> index;
    std::array<double, kNeighbours> distance2;
    for (std::size_t axes = 1; axes <= kMostAxes; ++axes) {
      PointsView points{{}, axes, data.outcome.data(), data.outcome.size()};
      for (std::size_t a = 0; a < axes; ++a) points.axis[a] = data.z[a].data();
      for (double x = -1.0; x <= 1.0; x += 0.0625) {
        const std::vector<double> at(axes, x);
        nearest(points, at, index, distance2, NearestAnswer::kOrderAndCount);
        sessions.insert(sessions.end(), index.begin(), index.end());
        distances.insert(distances.end(), distance2.begin(), distance2.end());
      }
    }
    return std::pair(sessions, distances);
  };
  const auto expected = found();
  std::vector<std::int32_t> key(kNeighbours);
  for (auto& k : key) k = static_cast<std::int32_t>(generator() % 100000) - 50000;
  for (const std::int64_t set : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(set);
    EXPECT_EQ(found(), expected) << hwy::TargetName(set);
    std::vector<std::uint8_t> order(key.size());
    ascending_order(key, order);
    for (std::size_t i = 1; i < order.size(); ++i) EXPECT_LT(key[order[i - 1]], key[order[i]]);
    const WeatherMaps maps = make_weather_maps(data, 1000);
    hwy::SetSupportedTargetsForTest(0);
    const WeatherMaps best = make_weather_maps(data, 1000);
    // Each within 5e-7 of the truth.
    for (std::size_t i = 0; i < maps.mass.size(); ++i) {
      EXPECT_NEAR(maps.mass[i], best.mass[i], 1e-6 * static_cast<double>(best.mass[i]));
    }
  }
}

// Places that differ by less than single precision resolves, and too many of them: exact all the same.
TEST(Nearest, SinglePrecisionDecidesNothing) {
  std::mt19937_64 generator(12);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  for (int trial = 0; trial < 200; ++trial) {
    const std::size_t n = 60 + generator() % 3000, axes = 1 + generator() % 4;
    const double spread = std::pow(10.0, -static_cast<double>(trial % 12));
    std::vector<std::vector<double>> axis(axes);
    std::vector<std::vector<float>> rounded;
    std::vector<double> at, required(n, 0.0);
    PointsView points{{}, axes, nullptr, n, {}};
    for (auto& column : axis) {
      const double centre = 0.9 * uniform(generator);
      for (std::size_t i = 0; i < n; ++i) column.push_back(centre + 0.1 * spread * uniform(generator));
      at.push_back(centre);
    }
    for (const auto& column : axis) rounded.emplace_back(column.begin(), column.end());
    for (std::size_t a = 0; a < axes; ++a) {
      points.axis[a] = axis[a].data();
      points.rounded[a] = rounded[a].data();
    }
    const std::vector<Found> expected = sorted_points(axis, required, at);
    std::array<std::int32_t, kNeighbours> index, want;
    std::array<double, kNeighbours> distance2;
    ASSERT_EQ(nearest(points, at, index, distance2, NearestAnswer::kPoints), kNeighbours);
    for (std::size_t i = 0; i < kNeighbours; ++i) want[i] = expected[i].index;
    std::sort(index.begin(), index.end());
    std::sort(want.begin(), want.end());
    ASSERT_EQ(index, want) << trial << " spread " << spread;
  }
}

TEST(Nearest, KeepsTheNearestOfAFew) {
  std::mt19937_64 generator(13);
  for (int trial = 0; trial < 500; ++trial) {
    const std::size_t n = 1 + generator() % kMostNearest, k = 1 + generator() % n;
    std::vector<Found> all(n);
    std::vector<std::int32_t> index(n);
    std::vector<double> distance2(n);
    for (std::size_t i = 0; i < n; ++i) {
      all[i] = {static_cast<double>(generator() % (trial % 2 == 0 ? 1000000 : 6)), static_cast<std::int32_t>(i * 3)};
    }
    std::shuffle(all.begin(), all.end(), generator);
    for (std::size_t i = 0; i < n; ++i) {
      index[i] = all[i].index;
      distance2[i] = all[i].distance2;
    }
    keep_nearest(index, distance2, k);
    std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
      return a.distance2 != b.distance2 ? a.distance2 < b.distance2 : a.index > b.index;
    });
    std::vector<std::int32_t> got(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(k)), want;
    for (std::size_t i = 0; i < k; ++i) want.push_back(all[i].index);
    std::sort(got.begin(), got.end());
    std::sort(want.begin(), want.end());
    EXPECT_EQ(got, want) << trial;
  }
}

TEST(AscendingOrder, SortsByKeyAndThenByIndex) {
  std::mt19937_64 generator(14);
  for (int trial = 0; trial < 300; ++trial) {
    const std::size_t n = 1 + generator() % kMostNearest;
    std::vector<std::int32_t> key(n), index(n);
    std::vector<double> value(n);
    const std::int32_t range = trial % 2 == 0 ? 3000 : 3000000;
    for (std::size_t i = 0; i < n; ++i) {
      key[i] = static_cast<std::int32_t>((generator() % 64) * 64 + i) * (range / 3000) - range / 3;
      index[i] = static_cast<std::int32_t>((7 * i) % 64);
      value[i] = static_cast<double>(generator() % 5) - 2.0;
    }
    std::vector<std::uint8_t> order(n);
    ascending_order(key, order);
    for (std::size_t i = 1; i < n; ++i) ASSERT_LT(key[order[i - 1]], key[order[i]]) << trial;
    ascending_order(value, index, order);
    for (std::size_t i = 1; i < n; ++i) {
      ASSERT_LT(std::pair(value[order[i - 1]], index[order[i - 1]]), std::pair(value[order[i]], index[order[i]]));
    }
  }
}

// Searches through single precision, scores and their quantiles, by the loops of every instruction set; scores against
// the same loop over one ensemble.
TEST(EnsembleScores, SameBitsFromEveryInstructionSet) {
  std::mt19937_64 generator(16);
  std::uniform_real_distribution<double> uniform;
  const PredictorSeries series = random_predictors(generator, 1100);
  std::vector<std::vector<float>> rounded;
  for (const auto& z : series.z) rounded.emplace_back(z.begin(), z.end());
  for (const std::int64_t set : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(set);
    for (int trial = 0; trial < 40; ++trial) {
      PointsView points{{}, kMostAxes, nullptr, 900 + generator() % 200, {}};
      std::vector<std::vector<double>> axis;
      std::array<double, kMostAxes> at;
      for (std::size_t a = 0; a < kMostAxes; ++a) {
        points.axis[a] = series.z[a].data();
        points.rounded[a] = rounded[a].data();
        axis.emplace_back(series.z[a].begin(), series.z[a].begin() + static_cast<std::ptrdiff_t>(points.points));
        at[a] = 2.0 * uniform(generator) - 1.0;
      }
      std::array<std::int32_t, kNeighbours> index;
      std::array<double, kNeighbours> distance2;
      ASSERT_EQ(nearest(points, at, index, distance2, NearestAnswer::kPoints), kNeighbours);
      const std::vector<Found> all =
          sorted_points(axis, std::vector<double>(points.points, 0.0), {at.begin(), at.end()});
      EXPECT_EQ(*std::max_element(distance2.begin(), distance2.end()), all[kNeighbours - 1].distance2)
          << hwy::TargetName(set);

      const std::size_t n = 1 + generator() % 50;
      std::vector<EnsembleRow> y(n), w(n);
      EnsembleRow came;
      std::array<EnsembleRow, kForecastProbabilities.size()> quantile;
      for (std::size_t e = 0; e < kEnsembles; ++e) {
        std::vector<double> value(n);
        for (double& x : value) x = std::round(8.0 * uniform(generator)) / (trial % 2 == 0 ? 8.0 : 7.9);
        std::sort(value.begin(), value.end());
        for (std::size_t i = 0; i < n; ++i) {
          y[i][e] = value[i];
          w[i][e] = 0.01 + uniform(generator);
        }
        came[e] = trial % 3 == 0 ? value[n / 2] : uniform(generator);
      }
      const std::vector<EnsembleRow> raw = w;
      const EnsembleScores scores = score_ensembles(y, w, came, kForecastProbabilities, quantile);
      for (std::size_t e = 0; e < kEnsembles; ++e) {
        std::vector<double> value(n), weight(n);
        double total = 0.0, mean = 0.0, squares = 0.0, distance = 0.0, spread = 0.0, pit = 0.0, up_to = 0.0;
        for (std::size_t i = 0; i < n; ++i) total += raw[i][e];
        const double scale = 1.0 / total;
        std::vector<std::uint8_t> order(n);
        std::iota(order.begin(), order.end(), std::uint8_t{0});
        for (std::size_t i = 0; i < n; ++i) {
          value[i] = y[i][e];
          weight[i] = raw[i][e] * scale;
          ASSERT_EQ(weight[i], w[i][e]);
          mean += weight[i] * value[i];
          squares += weight[i] * weight[i];
          distance += weight[i] * std::abs(value[i] - came[e]);
          pit += weight[i] * (value[i] < came[e] ? 1.0 : value[i] == came[e] ? 0.5 : 0.0);
          spread += (value[i] - value[i > 0 ? i - 1 : 0]) * (up_to * (1.0 - up_to));
          up_to += weight[i];
        }
        EXPECT_EQ(scores.mean[e], mean) << hwy::TargetName(set);
        EXPECT_EQ(scores.squares[e], squares);
        EXPECT_EQ(scores.distance[e], distance);
        EXPECT_EQ(scores.spread[e], spread);
        EXPECT_EQ(scores.pit[e], pit);
        for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
          EXPECT_EQ(quantile[q][e], weighted_quantile(value, weight, order, kForecastProbabilities[q]))
              << n << ' ' << q;
        }
      }
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(NormalMixture, KeepsItsErrors) {
  std::mt19937_64 generator(17);
  std::normal_distribution<double> normal;
  for (const std::int64_t set : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(set);
    for (int trial = 0; trial < 300; ++trial) {
      const std::size_t n = kMixtureMultiple * (1 + generator() % 8);
      std::vector<double> y(n), w(n), weight(n);
      for (std::size_t i = 0; i < n; ++i) {
        y[i] = normal(generator);
        w[i] = std::abs(normal(generator));
      }
      const double at = normal(generator), bandwidth = std::pow(10.0, -static_cast<double>(trial % 4));
      const MixtureSums sums = normal_mixture(y, w, at, bandwidth);
      long double excess = 0, density = 0, slope = 0, total = 0, density_error = 0, slope_error = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const long double u = (static_cast<long double>(at) - y[i]) / bandwidth;
        const long double part = w[i] * std::exp(-0.5L * u * u) / std::sqrt(2.0L * std::numbers::pi_v<long double>);
        excess += w[i] * 0.5L * std::erf(u / std::numbers::sqrt2_v<long double>);
        density += part;
        slope -= part * u;
        total += w[i];
        density_error += part * (10.0L + 4.0L * u * u) * kEpsilon;
        slope_error += std::abs(u) * part * (10.0L + 4.0L * u * u) * kEpsilon;
      }
      EXPECT_NEAR(sums.excess, static_cast<double>(excess), 1e-15 * static_cast<double>(total)) << hwy::TargetName(set);
      EXPECT_NEAR(sums.density, static_cast<double>(density), static_cast<double>(density_error) + 1e-290);
      EXPECT_NEAR(sums.slope, static_cast<double>(slope), static_cast<double>(slope_error) + 1e-290);

      for (double& d2 : y) d2 *= d2;
      weigh_by_distance(std::span(y).first(n - trial % 8), std::span(w).first(n - trial % 8),
                        std::span(weight).first(n - trial % 8));
      const auto h2 = static_cast<long double>(*std::max_element(y.begin(), y.end() - trial % 8));
      for (std::size_t i = 0; i < n - static_cast<std::size_t>(trial % 8); ++i) {
        const double want = static_cast<double>(w[i] * std::exp(-0.5L * y[i] / h2));
        EXPECT_NEAR(weight[i], want, 0x1p-51 * want);
      }
    }
    const std::vector<double> none(5, 0.0), factor = {1.0, 2.0, 3.0, 4.0, 5.0};
    std::vector<double> weight(5);
    weigh_by_distance(none, factor, weight);
    EXPECT_EQ(weight, factor);
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(ForecastData, OutcomeIsTheCompoundReturnInMads) {
  PredictorSeries series;
  series.r = {kNaN, 0.10, -0.20, 0.05, 0.01, 0.02};
  series.mad = {0.01, 0.02, 0.0, kNaN, 0.04, 0.05};
  for (auto& z : series.z) z.assign(6, 0.5);
  const ForecastData data = make_forecast_data(series, 2);
  EXPECT_EQ(data.horizon, 2);
  EXPECT_NEAR(data.outcome[0], (1.10 * 0.80 - 1.0) / (0.01 * std::numbers::sqrt2), 1e-13);
  EXPECT_NEAR(data.outcome[1], (0.80 * 1.05 - 1.0) / (0.02 * std::numbers::sqrt2), 1e-13);
  EXPECT_TRUE(std::isnan(data.outcome[2]));  // MAD of 0
  EXPECT_TRUE(std::isnan(data.outcome[3]));  // no MAD
  EXPECT_TRUE(std::isnan(data.outcome[4]));  // not known yet
  EXPECT_TRUE(std::isnan(data.outcome[5]));
  EXPECT_EQ(data.z[2].data(), series.z[2].data());
}

TEST(ForecastData, OutcomeDependsOnNothingAfterItsHorizon) {
  std::mt19937_64 generator(2);
  PredictorSeries series = random_predictors(generator, 300);
  const ForecastData before = make_forecast_data(series, 21);
  for (std::size_t s = 201; s < 300; ++s) series.r[s] *= 3.0;
  for (std::size_t s = 180; s < 300; ++s) series.mad[s] *= 2.0;
  const ForecastData after = make_forecast_data(series, 21);
  for (std::size_t s = 21; s < 180; ++s) EXPECT_EQ(before.outcome[s], after.outcome[s]) << s;
  for (std::size_t s = 180; s + 21 < 300; ++s) EXPECT_NE(before.outcome[s], after.outcome[s]) << s;
}

TEST(ValidSet, NeedsPAndV) {
  EXPECT_EQ(valid_set({0.1, 0.2, 0.3, 0.4}), kPVGD);
  EXPECT_EQ(valid_set({0.1, 0.2, kNaN, 0.4}), kPVD);
  EXPECT_EQ(valid_set({0.1, 0.2, 0.3, kNaN}), kPVG);
  EXPECT_EQ(valid_set({0.1, 0.2, kNaN, kNaN}), kPV);
  EXPECT_EQ(valid_set({kNaN, 0.2, 0.3, 0.4}), 0);
  EXPECT_EQ(valid_set({0.1, kNaN, 0.3, 0.4}), 0);
}

ForecastQuery query_at(const ForecastData& data, std::size_t t) {
  ForecastQuery query;
  for (std::size_t p = 0; p < kPredictors; ++p) query.z[p] = data.z[p][t];
  query.last = static_cast<std::ptrdiff_t>(t) - data.horizon;
  query.now = t;
  return query;
}

// The forecast written out from its rule: a sort of all candidates, sums in extended precision.
void expect_forecast(const ForecastData& data, const ForecastQuery& query, PredictorSet set, const Forecast& got) {
  std::vector<std::vector<double>> axis;
  std::vector<double> at;
  const auto end = static_cast<std::size_t>(query.last + 1);
  for (std::size_t p = 0; p < kPredictors; ++p) {
    if (((set >> p) & 1) == 0) continue;
    axis.emplace_back(data.z[p].begin(), data.z[p].begin() + end);
    at.push_back(query.z[p]);
  }
  const std::vector<double> known(data.outcome.begin(), data.outcome.begin() + end);
  const std::vector<Found> all = sorted_points(axis, known, at);
  ASSERT_EQ(got.candidates, all.size());
  ASSERT_EQ(got.set, set);
  if (all.size() < kNeighbours) {
    EXPECT_EQ(got.status, ForecastStatus::kInsufficientHistory);
    return;
  }
  ASSERT_EQ(got.status, ForecastStatus::kOk);
  std::array<long double, kNeighbours> w;
  long double total = 0.0;
  const long double h2 = all[kNeighbours - 1].distance2;
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    ASSERT_EQ((Found{got.distance2[i], got.session[i]}), all[i]) << i;
    ASSERT_EQ(got.outcome[i], data.outcome[all[i].index]);
    const long double age = static_cast<long double>(query.now) - all[i].index;
    w[i] = std::exp2(-age / 504.0L) * (h2 > 0 ? std::exp(-all[i].distance2 / (2 * h2)) : 1.0L);
    total += w[i];
  }
  long double mean = 0, squares = 0, volatility = 0, variance = 0, y_size = 0;
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    w[i] /= total;
    EXPECT_NEAR(got.weight[i], static_cast<double>(w[i]), 60 * kEpsilon * static_cast<double>(w[i]));
    mean += w[i] * got.outcome[i];
    squares += w[i] * w[i];
    volatility += w[i] * std::abs(got.outcome[i]);
    y_size = std::max<long double>(y_size, std::abs(got.outcome[i]));
  }
  for (std::size_t i = 0; i < kNeighbours; ++i) variance += w[i] * (got.outcome[i] - mean) * (got.outcome[i] - mean);
  // Sums of 42 terms of weights that are each off by 60 ulp at most.
  const double tolerance = 120 * kEpsilon * static_cast<double>(y_size);
  EXPECT_NEAR(got.mean, static_cast<double>(mean), tolerance);
  EXPECT_NEAR(got.volatility, static_cast<double>(volatility), tolerance);
  EXPECT_NEAR(got.n_eff, static_cast<double>(1 / squares), 200 * kEpsilon * static_cast<double>(1 / squares));
  const double bandwidth = static_cast<double>(1.06L * std::sqrt(variance) * std::pow(1 / squares, -0.2L));
  EXPECT_NEAR(got.bandwidth, bandwidth, 1e-12 * (bandwidth + static_cast<double>(y_size)));
  const auto quantile_of = [&](const std::array<double, kNeighbours>& y, double probability) {
    std::array<std::uint8_t, kNeighbours> order;
    std::iota(order.begin(), order.end(), std::uint8_t{0});
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return y[a] != y[b] ? y[a] < y[b] : got.session[a] < got.session[b]; });
    return weighted_quantile(y, got.weight, order, probability);
  };
  for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
    EXPECT_NEAR(got.quantile[q], quantile_of(got.outcome, kForecastProbabilities[q]),
                1e-11 * static_cast<double>(y_size));
  }
  std::array<double, kNeighbours> size;
  for (std::size_t i = 0; i < kNeighbours; ++i) size[i] = std::abs(got.outcome[i]);
  EXPECT_NEAR(got.volatility_median, quantile_of(size, 0.5), 1e-11 * static_cast<double>(y_size));
  // The root by bisection in extended precision.
  long double low = -2 * y_size, high = 2 * y_size;
  for (int step = 0; step < 200; ++step) {
    const long double m = (low + high) / 2;
    long double below = 0;
    for (std::size_t i = 0; i < kNeighbours; ++i) {
      below += w[i] * std::erf((m - got.outcome[i]) / (got.bandwidth * std::numbers::sqrt2_v<long double>));
    }
    (below > 0 ? high : low) = m;
  }
  EXPECT_NEAR(got.median, static_cast<double>(low), 2e-12 * static_cast<double>(y_size));
}

TEST(Forecast, IsTheRuleWrittenOut) {
  std::mt19937_64 generator(3);
  for (int trial = 0; trial < 60; ++trial) {
    const PredictorSeries series = random_predictors(generator, 200 + generator() % 900, trial % 2 == 0 ? 0.0 : 0.2);
    const ForecastData data = make_forecast_data(series, trial % 3 == 0 ? 21 : 5);
    for (int ask = 0; ask < 10; ++ask) {
      ForecastQuery query = query_at(data, 60 + generator() % (series.r.size() - 60));
      if (ask % 3 == 0) query.now += 1;
      for (double& z : query.z) z = std::isnan(z) ? 0.25 : z;
      for (const PredictorSet set : {kPVGD, kPVG, kPVD, kPV, kPairs[1], kPairs[2], kPairs[3], kPairs[4], kPairs[5]}) {
        expect_forecast(data, query, set, forecast(data, query, set));
      }
    }
  }
}

void expect_same_bytes(const Forecast& a, const Forecast& b) {
  const auto same = [](double x, double y) {
    return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
  };
  ASSERT_EQ(a.status, b.status);
  ASSERT_EQ(a.set, b.set);
  ASSERT_EQ(a.candidates, b.candidates);
  ASSERT_EQ(a.session, b.session);
  for (const auto member : {&Forecast::n_eff, &Forecast::mean, &Forecast::volatility, &Forecast::volatility_median,
                            &Forecast::median, &Forecast::bandwidth}) {
    ASSERT_TRUE(same(a.*member, b.*member)) << a.*member << ' ' << b.*member;
  }
  for (const auto list : {&Forecast::distance2, &Forecast::weight, &Forecast::outcome}) {
    for (std::size_t i = 0; i < kNeighbours; ++i) ASSERT_TRUE(same((a.*list)[i], (b.*list)[i]));
  }
  for (std::size_t q = 0; q < a.quantile.size(); ++q) ASSERT_TRUE(same(a.quantile[q], b.quantile[q]));
}

// Small steps, leaps, standing still, a lattice of ties, changes of the set and few candidates.
TEST(ForecastPath, IsTheForecastOfEveryPlaceToTheBit) {
  std::mt19937_64 generator(15);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 60; ++trial) {
    PredictorSeries series = random_predictors(
        generator, trial % 5 == 0 ? 70 + generator() % 60 : 300 + generator() % 900, trial % 3 == 0 ? 0.2 : 0.0);
    if (trial % 4 == 0) {
      for (auto& z : series.z) {
        for (double& x : z) x = 0.25 * std::round(4.0 * x);
      }
    }
    const std::size_t t = series.r.size() - 1;
    const ForecastData data = make_forecast_data(series, trial % 2 == 0 ? 5 : 21);
    ForecastQuery query = query_at(data, t);
    query.now = t + 1;
    for (double& z : query.z) z = std::isnan(z) ? 0.1 : z;
    ForecastPath path(data, query.last, query.now);
    for (int step = 0; step < 80; ++step) {
      const double size = step % 20 == 19 ? 0.5 : step % 7 == 0 ? 0.0 : 0.01;
      for (double& z : query.z) z = std::clamp(z + size * normal(generator), -1.0, 1.0);
      if (trial % 4 == 0 && step % 3 == 0) query.z[0] = 0.25 * std::round(4.0 * query.z[0]);
      const PredictorSet set = step / 30 == 1 ? kPV : step % 29 == 28 ? kPVG : kPVGD;
      expect_same_bytes(path(query.z, set), forecast(data, query, set));
    }
    query.z[1] = kNaN;
    EXPECT_EQ(path(query.z, kPV).status, ForecastStatus::kNoPredictors);
  }
}

TEST(Forecast, FortyTwoCandidatesAreEnoughAndFortyOneAreNot) {
  std::mt19937_64 generator(4);
  const PredictorSeries series = random_predictors(generator, 200);
  const ForecastData data = make_forecast_data(series, 5);
  ForecastQuery query = query_at(data, 150);
  query.last = 40 + 41;  // standings begin at session 40
  const Forecast enough = forecast(data, query, kPV);
  EXPECT_EQ(enough.status, ForecastStatus::kOk);
  EXPECT_EQ(enough.candidates, 42U);
  query.last = 40 + 40;
  const Forecast few = forecast(data, query, kPV);
  EXPECT_EQ(few.status, ForecastStatus::kInsufficientHistory);
  EXPECT_EQ(few.mean, 0.0);
  query.last = -1;
  EXPECT_EQ(forecast(data, query, kPV).status, ForecastStatus::kInsufficientHistory);
  query.last = 1000;  // beyond the series: what is there
  EXPECT_EQ(forecast(data, query, kPV).candidates, 200U - 40U - 5U);
  query.z[1] = kNaN;
  EXPECT_EQ(forecast(data, query, kPV).status, ForecastStatus::kNoPredictors);
  EXPECT_EQ(forecast(data, query, 0).status, ForecastStatus::kNoPredictors);
}

TEST(Forecast, IdenticalCandidatesLeaveAgeAlone) {
  PredictorSeries series;
  series.r.assign(120, 0.01);
  series.mad.assign(120, 0.01);
  for (auto& z : series.z) z.assign(120, 0.5);
  const ForecastData data = make_forecast_data(series, 5);
  const Forecast result = forecast(data, query_at(data, 110), kPVGD);
  ASSERT_EQ(result.status, ForecastStatus::kOk);
  for (std::size_t i = 0; i < kNeighbours; ++i) {
    EXPECT_EQ(result.session[i], 105 - static_cast<std::int32_t>(i));
    EXPECT_NEAR(result.weight[i] / result.weight[0], std::exp2(-static_cast<double>(i) / 504.0), 1e-14);
  }
  EXPECT_EQ(result.bandwidth, 0.0);
  EXPECT_EQ(result.median, result.quantile[2]);
  EXPECT_NEAR(result.median, data.outcome[100], 1e-14);
  EXPECT_TRUE(std::isnan(forecast(data, query_at(data, 110), kPVGD, false).median));
}

// Whatever is not known at t: standings after t, outcomes of s with s + h > t. Nothing may look at it.
TEST(Forecast, LooksAtNothingThatIsNotKnown) {
  std::mt19937_64 generator(5);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  for (const int horizon : kHorizons) {
    const PredictorSeries series = random_predictors(generator, 700, 0.05);
    const ForecastData data = make_forecast_data(series, horizon);
    std::vector<double> mean;
    walk_forward(data, {}, series.mad, 7, &mean);
    int checked = 0;
    for (int trial = 0; trial < 60; ++trial) {
      const std::size_t t = 200 + generator() % 470;
      PredictorSeries changed = series;
      for (auto& z : changed.z) {
        for (std::size_t s = t + 1; s < z.size(); ++s) z[s] = uniform(generator);
      }
      ForecastData other = data;
      for (std::size_t p = 0; p < kPredictors; ++p) other.z[p] = changed.z[p];
      for (std::size_t s = 0; s < other.outcome.size(); ++s) {
        if (s + static_cast<std::size_t>(horizon) > t) other.outcome[s] = 5.0 * uniform(generator);
      }
      const ForecastQuery query = query_at(data, t);
      const PredictorSet set = UsableSet(data)(query.z, query.last);
      if (set == 0) continue;
      const Forecast a = forecast(data, query, set), b = forecast(other, query, set);
      if (a.status != ForecastStatus::kOk) continue;
      EXPECT_EQ(a.session, b.session);
      EXPECT_EQ(a.weight, b.weight);
      EXPECT_EQ(a.outcome, b.outcome);
      EXPECT_EQ(a.quantile, b.quantile);
      EXPECT_EQ(a.median, b.median);
      EXPECT_EQ(a.candidates, b.candidates);
      std::vector<double> other_mean;
      walk_forward(other, {}, series.mad, 7, &other_mean);
      for (std::size_t s = 0; s <= t; ++s) {
        if (std::isnan(mean[s]) || std::isnan(other_mean[s])) continue;  // scored only where the outcome is there
        ASSERT_EQ(mean[s], other_mean[s]) << s << " of " << t;
      }
      if (!std::isnan(mean[t])) {
        EXPECT_EQ(mean[t], a.mean) << t;  // the record is of what is forecast, to the bit
      }
      ++checked;
    }
    EXPECT_GT(checked, 40);
  }
}

TEST(WeightedQuantile, WorkedByHand) {
  // y 1 2 4 with weights 0.2 0.5 0.3: C = 0.1 0.45 0.85
  const std::vector<double> y = {4.0, 1.0, 2.0}, w = {0.3, 0.2, 0.5};
  const std::vector<std::uint8_t> order = {1, 2, 0};
  EXPECT_EQ(weighted_quantile(y, w, order, 0.05), 1.0);
  EXPECT_NEAR(weighted_quantile(y, w, order, 0.10), 1.0, 1e-15);
  EXPECT_NEAR(weighted_quantile(y, w, order, 0.25), 1.0 + 0.15 / 0.35, 1e-14);
  EXPECT_NEAR(weighted_quantile(y, w, order, 0.45), 2.0, 1e-14);
  EXPECT_NEAR(weighted_quantile(y, w, order, 0.50), 2.0 + 2.0 * 0.05 / 0.40, 1e-14);
  EXPECT_EQ(weighted_quantile(y, w, order, 0.95), 4.0);
}

TEST(DensityMedian, AgreesWithBisection) {
  std::mt19937_64 generator(6);
  std::normal_distribution<double> normal;
  std::exponential_distribution<double> exponential;
  for (int trial = 0; trial < 2000; ++trial) {
    const std::size_t n = 2 + generator() % 60;
    std::vector<double> y(n), w(n);
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      y[i] = trial % 3 == 0   ? normal(generator)
             : trial % 3 == 1 ? std::pow(normal(generator), 5)
                              : exponential(generator);
      total += w[i] = exponential(generator);
    }
    for (double& weight : w) weight /= total;
    const auto [least, most] = std::minmax_element(y.begin(), y.end());
    const double range = *most - *least;
    const double bandwidth = range * std::pow(10.0, -2.0 * std::uniform_real_distribution<double>()(generator));
    const auto excess = [&](long double m) {
      long double sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum += w[i] * std::erf((m - y[i]) / (bandwidth * std::numbers::sqrt2_v<long double>));
      }
      return sum;
    };
    const double median = density_median(y, w, bandwidth);
    // The root lies within 1e-12 of the range; where the density at it is too small for doubles to tell, the excess
    // there is as good as none.
    const bool bracketed = excess(median - 1e-12 * range) <= 0 && excess(median + 1e-12 * range) >= 0;
    EXPECT_TRUE(bracketed || std::abs(excess(median)) < 4.0 * static_cast<double>(n) * kEpsilon)
        << trial << ' ' << median;
  }
}

TEST(Crps, IsTheDoubleSum) {
  std::mt19937_64 generator(7);
  std::normal_distribution<double> normal;
  for (int trial = 0; trial < 300; ++trial) {
    const std::size_t n = 1 + generator() % 80;
    std::vector<double> y(n), w(n);
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      y[i] = trial % 3 == 0 ? std::round(normal(generator)) : normal(generator);
      total += w[i] = 0.01 + std::abs(normal(generator));
    }
    for (double& weight : w) weight /= total;
    const double came = 2.0 * normal(generator);
    long double first = 0, second = 0, squares = 0;
    for (std::size_t i = 0; i < n; ++i) {
      first += w[i] * std::abs(y[i] - came);
      squares += w[i] * w[i];
      for (std::size_t j = 0; j < n; ++j) second += 0.5L * w[i] * w[j] * std::abs(y[i] - y[j]);
    }
    const double tolerance = 4.0 * static_cast<double>(n) * kEpsilon * (1.0 + static_cast<double>(first + second));
    EXPECT_NEAR(crps(y, w, came, false), static_cast<double>(first - second), tolerance);
    if (n > 1) {
      const double fair = static_cast<double>(first - second / (1 - squares));
      EXPECT_NEAR(crps(y, w, came, true), fair, tolerance / static_cast<double>(1 - squares) * 2.0);
    }
  }
}

TEST(Crps, OfANormalIsTheIntegral) {
  // CRPS = integral of (F(x) - [x >= came])^2 dx, by the midpoint rule on either side of the jump.
  for (const double deviation : {0.2, 1.0, std::sqrt(0.5 * std::numbers::pi), 3.0}) {
    for (const double came : {-2.5, -0.3, 0.0, 1.0, 4.0}) {
      double integral = 0.0;
      constexpr int kSteps = 20000;
      const double low = -12.0 * deviation - 5.0, high = 12.0 * deviation + 5.0;
      for (int i = 0; i < kSteps; ++i) {
        const double left = (came - low) / kSteps, right = (high - came) / kSteps;
        const double below = 0.5 * std::erfc(-(low + (i + 0.5) * left) / (deviation * std::numbers::sqrt2));
        const double above = 0.5 * std::erfc((came + (i + 0.5) * right) / (deviation * std::numbers::sqrt2));
        integral += left * below * below + right * above * above;
      }
      // The midpoint rule is off by about step^2/24 times the change of the slope across the jump, below 2/deviation.
      const double step = (high - low) / kSteps;
      EXPECT_NEAR(crps_normal(deviation, came), integral, step * step / deviation + 1e-12);
    }
  }
  EXPECT_EQ(crps_normal(0.0, -2.0), 2.0);
}

TEST(Forecast, SameBytesFromSeveralThreads) {
  std::mt19937_64 generator(8);
  const PredictorSeries series = random_predictors(generator, 600, 0.02);
  const ForecastData data = make_forecast_data(series, 5);
  const auto all = [&] {
    std::vector<double> numbers;
    for (std::size_t t = 100; t < 600; t += 7) {
      const ForecastQuery query = query_at(data, t);
      const PredictorSet set = UsableSet(data)(query.z, query.last);
      if (set == 0) continue;
      const Forecast f = forecast(data, query, set);
      numbers.insert(numbers.end(), {f.mean, f.median, f.n_eff, f.volatility, f.volatility_median});
      numbers.insert(numbers.end(), f.quantile.begin(), f.quantile.end());
    }
    const ForecastRecord record = walk_forward(data, {}, series.mad, 3);
    numbers.insert(numbers.end(), {record.crps, record.crps_climatology, record.skill, record.skill_t,
                                   record.skill_random, record.hit_rate, record.pinball[0]});
    const WeatherMaps maps = make_weather_maps(data, 590);
    for (const float x : maps.mean) numbers.push_back(std::isnan(x) ? -9.0 : static_cast<double>(x));
    for (const float x : maps.n_eff) numbers.push_back(static_cast<double>(x));
    return numbers;
  };
  const std::vector<double> expected = all();
  std::vector<std::vector<double>> got(4);
  {
    std::vector<std::jthread> threads;
    for (auto& numbers : got) threads.emplace_back([&] { numbers = all(); });
  }
  for (const auto& numbers : got) EXPECT_EQ(numbers, expected);
}

}  // namespace
}  // namespace greekgrid
