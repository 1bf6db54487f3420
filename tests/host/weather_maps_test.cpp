// Maps against the plain double loop over nodes and sessions.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "forecast_series.hpp"
#include "greekgrid/host/forecast.hpp"

namespace greekgrid {
namespace {

using greekgrid_test::random_predictors;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMap = kMapNodes * kMapNodes;
constexpr std::pair<int, int> kAxes[] = {{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}};

double node(std::size_t i) {
  return -1.0 + 2.0 * static_cast<double>(i) / 63.0;
}

void expect_maps(const ForecastData& data, std::ptrdiff_t last, const WeatherMaps& maps) {
  for (const auto* map : {&maps.mean, &maps.magnitude, &maps.mass, &maps.n_eff}) ASSERT_EQ(map->size(), 6 * kMap);
  // As promised of mass, and of squares within those of n_eff.
  const double error = 3e-7, n_eff_error = 8e-6;
  double worst_mass = 0.0, worst_n_eff = 0.0;
  for (std::size_t pair = 0; pair < 6; ++pair) {
    for (std::size_t i = 0; i < kMapNodes; i += 3) {
      for (std::size_t j = 0; j < kMapNodes; j += 2) {
        double mass = 0.0, sum = 0.0, size = 0.0, squares = 0.0;
        for (std::ptrdiff_t s = 0; s <= last; ++s) {
          const double a = data.z[kAxes[pair].first][s], b = data.z[kAxes[pair].second][s], y = data.outcome[s];
          if (std::isnan(a) || std::isnan(b) || std::isnan(y)) continue;
          const double x = node(i) - a, v = node(j) - b;
          const double k = std::exp(-(x * x + v * v) / (2.0 * 0.15 * 0.15));
          mass += k;
          sum += k * y;
          size += k * std::abs(y);
          squares += k * k;
        }
        const std::size_t at = pair * kMap + i * kMapNodes + j;
        // A mass next to the mask may fall on either side of it.
        if (std::abs(mass - 5.0) > 5.0 * error) {
          ASSERT_EQ(std::isnan(maps.mean[at]), mass < 5.0) << pair << ' ' << i << ' ' << j;
          ASSERT_EQ(std::isnan(maps.magnitude[at]), mass < 5.0);
        }
        ASSERT_NEAR(maps.mass[at], mass, error * mass + 1e-9 * static_cast<double>(last + 1));
        if (std::isnan(maps.mean[at])) continue;
        worst_mass = std::max(worst_mass, std::abs(maps.mass[at] / mass - 1.0));
        worst_n_eff = std::max(worst_n_eff, std::abs(maps.n_eff[at] / (mass * mass / squares) - 1.0));
        ASSERT_NEAR(maps.mean[at], sum / mass, 2.0 * (error + 1e-9) * size / mass + 0x1p-22);
        ASSERT_NEAR(maps.magnitude[at], size / mass - 1.0, 2.0 * (error + 1e-9) * size / mass + 0x1p-22);
      }
    }
  }
  EXPECT_LT(worst_mass, error);
  EXPECT_LT(worst_n_eff, n_eff_error);
}

TEST(WeatherMaps, ArePlainSums) {
  std::mt19937_64 generator(1);
  for (const std::size_t sessions : {150U, 500U, 1500U}) {
    const PredictorSeries series = random_predictors(generator, sessions, 0.1);
    const ForecastData data = make_forecast_data(series, 5);
    const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(sessions) - 30;
    expect_maps(data, last, make_weather_maps(data, last));
  }
}

TEST(WeatherMaps, AHistoryOfFifteenYears) {
  std::mt19937_64 generator(2);
  const PredictorSeries series = random_predictors(generator, 3780);
  const ForecastData data = make_forecast_data(series, 21);
  expect_maps(data, 3779, make_weather_maps(data, 100000));  // beyond the series: what is there
}

// Both at once, with sessions whose outcome is known of one horizon alone: few of them, and many.
TEST(WeatherMaps, OfBothHorizonsArePlainSums) {
  std::mt19937_64 generator(5);
  for (const std::size_t stride : {7U, 97U, 100000U}) {
    const PredictorSeries series = random_predictors(generator, 900, 0.1);
    HorizonData data = make_forecast_data(series);
    for (std::size_t s = stride; s < 850; s += stride) data[s % 2].outcome[s] = kNaN;
    const auto maps = make_weather_maps(data, 870);
    for (std::size_t h = 0; h < kHorizons.size(); ++h) expect_maps(data[h], 870 - kHorizons[h], maps[h]);
    for (const auto& early : make_weather_maps(data, 4)) EXPECT_EQ(early.mass[2000], 0.0F);
  }
}

TEST(WeatherMaps, OfOneSessionAreItsKernel) {
  PredictorSeries series;
  series.r.assign(30, 0.01);
  series.mad.assign(30, 0.01);
  for (auto& z : series.z) z.assign(30, kNaN);
  series.z[0][3] = node(10);
  series.z[1][3] = node(40);
  const ForecastData data = make_forecast_data(series, 5);
  const WeatherMaps maps = make_weather_maps(data, 29);
  EXPECT_FLOAT_EQ(maps.mass[10 * kMapNodes + 40], 1.0F);
  EXPECT_FLOAT_EQ(maps.n_eff[10 * kMapNodes + 40], 1.0F);
  EXPECT_NEAR(maps.mass[10 * kMapNodes + 41], std::exp(-std::pow(2.0 / 63.0 / 0.15, 2) / 2.0), 1e-7);
  EXPECT_TRUE(std::isnan(maps.mean[10 * kMapNodes + 40]));  // a mass of 1 is below 5
  EXPECT_EQ(maps.mass[kMap + 10 * kMapNodes + 40], 0.0F);   // no G
  EXPECT_EQ(make_weather_maps(data, 2).mass[10 * kMapNodes + 40], 0.0F);
  EXPECT_EQ(make_weather_maps(data, -1).mass[10 * kMapNodes + 40], 0.0F);
}

TEST(WeatherMaps, LookAtNothingAfterTheLastCandidate) {
  std::mt19937_64 generator(3);
  PredictorSeries series = random_predictors(generator, 400);
  ForecastData data = make_forecast_data(series, 5);
  const WeatherMaps before = make_weather_maps(data, 300);
  for (auto& z : series.z) std::fill(z.begin() + 301, z.end(), 0.1);
  for (std::size_t s = 301; s < 400; ++s) data.outcome[s] = 9.0;
  const WeatherMaps after = make_weather_maps(data, 300);
  EXPECT_EQ(before.mass, after.mass);
  EXPECT_EQ(before.n_eff, after.n_eff);
}

// y = f(P, V) + noise: the map of PV is f seen through the kernel.
TEST(WeatherMaps, ShowAPlantedRelation) {
  std::mt19937_64 generator(4);
  std::normal_distribution<double> normal;
  const PredictorSeries series = random_predictors(generator, 3780);
  ForecastData data = make_forecast_data(series, 5);
  const auto relation = [](double p, double v) { return std::sin(3.0 * p) - v * v; };
  for (std::size_t s = 40; s < 3780; ++s) {
    data.outcome[s] = relation(series.z[0][s], series.z[1][s]) + normal(generator);
  }
  const WeatherMaps maps = make_weather_maps(data, 3779);
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < kMapNodes; ++i) {
    for (std::size_t j = 0; j < kMapNodes; ++j) {
      const double got = maps.mean[i * kMapNodes + j], planted = relation(node(i), node(j));
      if (std::isnan(got)) continue;
      n += 1;
      x += got;
      y += planted;
      xx += got * got;
      yy += planted * planted;
      xy += got * planted;
    }
  }
  EXPECT_GT(n, 0.9 * kMap);
  EXPECT_GT((n * xy - x * y) / std::sqrt((n * xx - x * x) * (n * yy - y * y)), 0.9);
}

}  // namespace
}  // namespace greekgrid
