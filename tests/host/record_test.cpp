// The record against the same evaluation in plain loops, on noise, and on a relation that is there.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <random>
#include <vector>

#include "forecast_series.hpp"
#include "greekgrid/host/forecast.hpp"

namespace greekgrid {
namespace {

using greekgrid_test::random_predictors;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ForecastQuery query_at(const ForecastData& data, std::size_t t) {
  ForecastQuery query;
  for (std::size_t p = 0; p < kPredictors; ++p) query.z[p] = data.z[p][t];
  query.last = static_cast<std::ptrdiff_t>(t) - data.horizon;
  query.now = t;
  return query;
}

double double_sum_crps(const std::vector<double>& y, const std::vector<double>& w, double came, bool fair) {
  double first = 0.0, second = 0.0, squares = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    first += w[i] * std::abs(y[i] - came);
    squares += w[i] * w[i];
    for (std::size_t j = 0; j < y.size(); ++j) second += 0.5 * w[i] * w[j] * std::abs(y[i] - y[j]);
  }
  return first - (fair ? second / (1.0 - squares) : second);
}

double plain_quantile(const std::vector<double>& y, const std::vector<double>& w, double probability) {
  std::vector<std::size_t> order(y.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return y[a] < y[b]; });
  double sum = 0.0, last_c = 0.0, last_y = 0.0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    sum += w[order[k]];
    const double c = sum - 0.5 * w[order[k]], value = y[order[k]];
    if (probability <= c) return k == 0 ? value : last_y + (probability - last_c) / (c - last_c) * (value - last_y);
    last_c = c;
    last_y = value;
  }
  return last_y;
}

TEST(Record, IsTheEvaluationWrittenOut) {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal;
  for (const int horizon : kHorizons) {
    PredictorSeries series = random_predictors(generator, 500, 0.04);
    for (std::size_t s = 0; s < 250; ++s) series.z[3][s] = kNaN;  // D begins later, as G does in places
    for (std::size_t s = 21; s < 500; ++s) series.mad[s] = 0.004 + 0.01 * std::abs(normal(generator));
    series.mad[300] = 0.0;
    ForecastData data = make_forecast_data(series, horizon);
    for (double& y : data.outcome) y = std::round(y * 8.0) / 8.0;  // ties and zeros
    std::vector<double> iv30(500, kNaN);
    for (std::size_t s = 200; s < 500; ++s) iv30[s] = 0.1 + 0.1 * std::abs(normal(generator));

    ForecastRecord want;
    double climatology_implied = 0.0, where_implied = 0.0, hits = 0.0, ups = 0.0;
    std::vector<double> gain;
    std::vector<std::size_t> when;
    std::vector<double> mean(500, kNaN);
    for (std::size_t t = static_cast<std::size_t>(horizon); t < 500; ++t) {
      const double came = data.outcome[t];
      const ForecastQuery query = query_at(data, t);
      const PredictorSet set = UsableSet(data)(query.z, query.last);
      if (set == 0 || std::isnan(came)) continue;
      const Forecast f = forecast(data, query, set, false);
      if (f.status != ForecastStatus::kOk) continue;
      std::vector<double> all;
      for (std::size_t s = 0; s + static_cast<std::size_t>(horizon) <= t; ++s) {
        bool valid = !std::isnan(data.outcome[s]);
        for (std::size_t p = 0; p < kPredictors; ++p) {
          if (((set >> p) & 1) != 0 && std::isnan(data.z[p][s])) valid = false;
        }
        if (valid) all.push_back(data.outcome[s]);
      }
      ASSERT_EQ(all.size(), f.candidates);
      const std::vector<double> equal(all.size(), 1.0 / static_cast<double>(all.size()));
      // By session: of equal outcomes the earlier session comes first.
      std::vector<std::size_t> place(kNeighbours);
      std::iota(place.begin(), place.end(), std::size_t{0});
      std::sort(place.begin(), place.end(), [&](auto a, auto b) { return f.session[a] < f.session[b]; });
      std::vector<double> y, w;
      for (const std::size_t i : place) {
        y.push_back(f.outcome[i]);
        w.push_back(f.weight[i]);
      }
      mean[t] = f.mean;
      want.forecasts += 1;
      const double ours = double_sum_crps(y, w, came, false), theirs = double_sum_crps(all, equal, came, false);
      want.crps += ours;
      want.crps_fair += double_sum_crps(y, w, came, true);
      want.crps_climatology += theirs;
      gain.push_back(theirs - ours);
      when.push_back(t);
      for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
        const double p = kForecastProbabilities[q];
        const auto loss = [&](double x) { return came < x ? (1.0 - p) * (x - came) : p * (came - x); };
        want.pinball[q] += loss(plain_quantile(y, w, p));
        want.pinball_climatology[q] += loss(plain_quantile(all, equal, p));
      }
      double pit = 0.0;
      for (std::size_t i = 0; i < y.size(); ++i) pit += y[i] < came ? w[i] : y[i] == came ? 0.5 * w[i] : 0.0;
      want.pit[pit >= 1.0 ? 9 : static_cast<std::size_t>(pit * 10.0)] += 1.0;
      if (f.mean != 0.0 && came != 0.0) {
        want.signs += 1;
        hits += f.mean * came > 0.0 ? 1.0 : 0.0;
        ups += came > 0.0 ? 1.0 : 0.0;
      }
      want.crps_random_walk += crps_normal(std::sqrt(std::numbers::pi / 2.0), came);
      if (!std::isnan(iv30[t])) {
        const double h = horizon;
        want.crps_implied += crps_normal(iv30[t] * std::sqrt(h / 252.0) / (series.mad[t] * std::sqrt(h)), came);
        climatology_implied += theirs;
        where_implied += ours;
        want.forecasts_implied += 1;
      }
    }
    ASSERT_GT(want.forecasts, 250);
    ASSERT_GT(want.forecasts_implied, 150);
    const auto n = static_cast<double>(want.forecasts);
    // Newey-West over pairs of sessions that are `lag` apart.
    double average = 0.0, variance = 0.0;
    for (const double g : gain) average += g / n;
    for (std::size_t a = 0; a < gain.size(); ++a) {
      for (std::size_t b = 0; b < gain.size(); ++b) {
        const double lag = std::abs(static_cast<double>(when[a]) - static_cast<double>(when[b]));
        if (lag > horizon) continue;
        variance += (1.0 - lag / (horizon + 1.0)) * (gain[a] - average) * (gain[b] - average) / n;
      }
    }

    std::vector<double> kept;
    const ForecastRecord got = walk_forward(data, iv30, series.mad, 11, &kept);
    EXPECT_EQ(got.horizon, horizon);
    EXPECT_EQ(got.forecasts, want.forecasts);
    EXPECT_EQ(got.n_independent, n / horizon);
    for (std::size_t t = 0; t < 500; ++t) {
      ASSERT_EQ(std::isnan(kept[t]), std::isnan(mean[t])) << t;
      if (!std::isnan(mean[t])) {
        ASSERT_EQ(kept[t], mean[t]) << t;
      }
    }
    // Sums of some hundred numbers of about 1.
    constexpr double kTolerance = 1e-12;
    EXPECT_NEAR(got.crps, want.crps / n, kTolerance);
    EXPECT_NEAR(got.crps_fair, want.crps_fair / n, kTolerance);
    EXPECT_NEAR(got.crps_climatology, want.crps_climatology / n, kTolerance);
    EXPECT_NEAR(got.skill, 1.0 - want.crps / want.crps_climatology, kTolerance);
    EXPECT_NEAR(got.skill_t, average / std::sqrt(variance / n), 1e-9);
    EXPECT_NEAR(got.crps_random_walk, want.crps_random_walk / n, kTolerance);
    EXPECT_NEAR(got.skill_random_walk, 1.0 - want.crps_random_walk / want.crps_climatology, kTolerance);
    EXPECT_EQ(got.forecasts_implied, want.forecasts_implied);
    EXPECT_NEAR(got.crps_implied, want.crps_implied / static_cast<double>(want.forecasts_implied), kTolerance);
    EXPECT_NEAR(got.skill_implied, 1.0 - want.crps_implied / climatology_implied, kTolerance);
    EXPECT_NEAR(got.skill_where_implied, 1.0 - where_implied / climatology_implied, kTolerance);
    for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
      EXPECT_NEAR(got.pinball[q], want.pinball[q] / n, kTolerance) << q;
      EXPECT_NEAR(got.pinball_climatology[q], want.pinball_climatology[q] / n, kTolerance) << q;
    }
    double shares = 0.0;
    for (std::size_t b = 0; b < 10; ++b) {
      // A value that rounding moves across the edge of a bin moves one forecast.
      EXPECT_NEAR(got.pit[b], want.pit[b] / n, 1.5 / n) << b;
      shares += got.pit[b];
    }
    EXPECT_NEAR(shares, 1.0, kTolerance);
    EXPECT_EQ(got.signs, want.signs);
    EXPECT_LT(got.signs, got.forecasts);
    EXPECT_EQ(got.hit_rate, hits / static_cast<double>(want.signs));
    EXPECT_EQ(got.always_up, ups / static_cast<double>(want.signs));
    const auto interval = wilson_interval(got.hit_rate, static_cast<double>(want.signs) / horizon);
    EXPECT_EQ(got.hit_low, interval[0]);
    EXPECT_EQ(got.hit_high, interval[1]);
    // Another seed draws other candidates and changes nothing else.
    const ForecastRecord other = walk_forward(data, iv30, series.mad, 12);
    EXPECT_NE(other.skill_random, got.skill_random);
    EXPECT_EQ(other.crps, got.crps);
    EXPECT_EQ(walk_forward(data, iv30, series.mad, 11).skill_random, got.skill_random);
  }
}

TEST(Record, WithoutImpliedVolatilityHasNoSuchBaseline) {
  std::mt19937_64 generator(2);
  const PredictorSeries series = random_predictors(generator, 200);
  const ForecastRecord record = walk_forward(make_forecast_data(series, 5), {}, series.mad, 1);
  EXPECT_GT(record.forecasts, 0);
  EXPECT_EQ(record.forecasts_implied, 0);
  EXPECT_TRUE(std::isnan(record.crps_implied));
  EXPECT_TRUE(std::isnan(record.skill_implied));
  EXPECT_TRUE(std::isnan(record.skill_where_implied));
}

TEST(Record, OfAShortHistoryIsEmpty) {
  std::mt19937_64 generator(3);
  for (const std::size_t sessions : {1U, 5U, 22U, 80U}) {
    const PredictorSeries series = random_predictors(generator, sessions);
    const ForecastRecord record = walk_forward(make_forecast_data(series, 21), {}, series.mad, 1);
    EXPECT_EQ(record.forecasts, 0);
    EXPECT_TRUE(std::isnan(record.skill));
    EXPECT_TRUE(std::isnan(record.hit_low));
  }
}

TEST(Wilson, WorkedByHand) {
  // 8 of 10: (0.8 + 0.19207) / 1.38415 -+ 1.95996/1.38415 sqrt(0.016 + 0.0096036)
  const auto interval = wilson_interval(0.8, 10.0);
  EXPECT_NEAR(interval[0], 0.490162, 1e-5);
  EXPECT_NEAR(interval[1], 0.943318, 1e-5);
  EXPECT_EQ(wilson_interval(0.0, 4.0)[0], 0.0);
  EXPECT_EQ(wilson_interval(1.0, 4.0)[1], 1.0);
}

// White noise has no skill: a finite ensemble scores below climatology. A leak would score above it.
TEST(Record, OfWhiteNoiseShowsNoSkill) {
  std::mt19937_64 generator(4);
  for (const int horizon : kHorizons) {
    constexpr int kSeries = 40;
    double sum = 0.0, squares = 0.0, random = 0.0, hits = 0.0;
    for (int i = 0; i < kSeries; ++i) {
      const PredictorSeries series = random_predictors(generator, 1000);
      const ForecastRecord record = walk_forward(make_forecast_data(series, horizon), {}, series.mad, 1);
      sum += record.skill / kSeries;
      squares += record.skill * record.skill / kSeries;
      random += record.skill_random / kSeries;
      hits += record.hit_rate / kSeries;
    }
    const double error = std::sqrt((squares - sum * sum) / (kSeries - 1));
    RecordProperty("skill_" + std::to_string(horizon), std::to_string(sum));
    EXPECT_LT(sum, 2.0 * error) << sum << " +- " << error;
    EXPECT_LT(sum, 0.0) << sum << " +- " << error;
    EXPECT_GT(sum, -0.2);
    EXPECT_LT(random, 0.0);
    EXPECT_GT(random, -0.2);
    EXPECT_NEAR(hits, 0.5, 0.06);
  }
}

// Outcomes that rise with time: late candidates are the better ones, so a draw that weighs them more beats equal
// weights, which a draw without weights cannot.
TEST(Record, RandomCandidatesAreWeighedByAge) {
  std::mt19937_64 generator(6);
  const PredictorSeries series = random_predictors(generator, 2000);
  ForecastData data = make_forecast_data(series, 5);
  for (std::size_t s = 0; s + 5 < 2000; ++s) data.outcome[s] = 0.001 * static_cast<double>(s);
  EXPECT_GT(walk_forward(data, {}, series.mad, 1).skill_random, 0.1);
}

TEST(Record, FindsARelationThatIsThere) {
  std::mt19937_64 generator(5);
  std::normal_distribution<double> normal;
  const PredictorSeries series = random_predictors(generator, 2000);
  ForecastData data = make_forecast_data(series, 5);
  for (std::size_t s = 40; s + 5 < 2000; ++s) {
    data.outcome[s] = 1.5 * std::sin(2.0 * (series.z[0][s] - series.z[1][s])) + normal(generator);
  }
  const ForecastRecord record = walk_forward(data, {}, series.mad, 1);
  EXPECT_GT(record.skill, 0.15);
  EXPECT_GT(record.skill_t, 5.0);
  EXPECT_LT(record.skill_random, 0.0);
  EXPECT_GT(record.hit_low, 0.55);
  for (std::size_t q = 0; q < kForecastProbabilities.size(); ++q) {
    EXPECT_LT(record.pinball[q], record.pinball_climatology[q]);
  }
}

// Every number of a record as its bits.
std::vector<std::uint64_t> bits_of(const ForecastRecord& r) {
  std::vector<std::uint64_t> bits = {static_cast<std::uint64_t>(r.horizon), static_cast<std::uint64_t>(r.forecasts),
                                     static_cast<std::uint64_t>(r.forecasts_implied),
                                     static_cast<std::uint64_t>(r.signs)};
  for (const double x : {r.n_independent, r.crps, r.crps_fair, r.crps_climatology, r.skill, r.skill_t,
                         r.crps_random_walk, r.skill_random_walk, r.crps_implied, r.skill_implied,
                         r.skill_where_implied, r.skill_random, r.hit_rate, r.hit_low, r.hit_high, r.always_up}) {
    bits.push_back(std::bit_cast<std::uint64_t>(x));
  }
  for (const auto& list : {r.pinball, r.pinball_climatology}) {
    for (const double x : list) bits.push_back(std::bit_cast<std::uint64_t>(x));
  }
  for (const double x : r.pit) bits.push_back(std::bit_cast<std::uint64_t>(x));
  return bits;
}

// One search for both horizons, where that is allowed and where it is not, against a search each.
TEST(Record, OfBothHorizonsAtOnceIsThatOfEachToTheBit) {
  std::mt19937_64 generator(7);
  for (int trial = 0; trial < 120; ++trial) {
    // Few candidates as well as many; some that the longer horizon does not have enough of.
    const std::size_t sessions = trial % 4 == 0 ? 100 + generator() % 60 : 200 + generator() % 900;
    PredictorSeries series = random_predictors(generator, sessions, trial % 3 == 0 ? 0.2 : 0.0);
    if (trial % 5 == 0) {  // a lattice makes ties of most distances, one of a single point of all of them
      const double step = trial % 10 == 0 ? 0.25 : 4.0;
      for (auto& z : series.z) {
        for (double& x : z) x = step * std::round(x / step);
      }
    }
    for (std::size_t s = 0; s < sessions / 2 && trial % 4 == 1; ++s) series.z[2][s] = kNaN;
    for (int k = 0; k < trial % 7; ++k) series.mad[generator() % sessions] = k % 2 == 0 ? 0.0 : kNaN;
    HorizonData data = make_forecast_data(series);
    if (trial % 6 == 0) data[0].outcome[generator() % sessions] = kNaN;  // one horizon alone
    if (trial % 8 == 0) data[1].outcome[generator() % sessions] = kNaN;
    if (trial % 2 == 0) {
      for (auto& horizon : data) {
        for (double& y : horizon.outcome) y = std::round(4.0 * y) / 4.0;
      }
    }
    std::vector<double> iv30(sessions, kNaN);
    for (std::size_t s = sessions / 3; s < sessions; ++s) iv30[s] = 0.2;
    std::array<std::vector<double>, kHorizons.size()> kept;
    const auto both = walk_forward(data, iv30, series.mad, 5, &kept);
    for (std::size_t h = 0; h < kHorizons.size(); ++h) {
      std::vector<double> mean;
      const ForecastRecord one = walk_forward(data[h], iv30, series.mad, 5, &mean);
      EXPECT_EQ(bits_of(both[h]), bits_of(one)) << trial << " horizon " << kHorizons[h];
      ASSERT_EQ(kept[h].size(), mean.size());
      for (std::size_t t = 0; t < sessions; ++t) {
        ASSERT_EQ(std::bit_cast<std::uint64_t>(kept[h][t]), std::bit_cast<std::uint64_t>(mean[t])) << trial << " " << t;
        const ForecastQuery query = query_at(data[h], t);
        const PredictorSet set = UsableSet(data[h])(query.z, query.last);
        if (std::isnan(mean[t])) continue;
        if ((t + static_cast<std::size_t>(trial)) % 16 == 0) {
          ASSERT_EQ(mean[t], forecast(data[h], query, set, false).mean) << trial << " " << t;
        }
      }
    }
  }
}

// A predictor that begins late: until there are 42 sessions with it forecasts stand on the others, each horizon from
// its own session on, and the joint record is that of each horizon alone.
TEST(Record, APredictorThatBeginsLateLeavesNoGap) {
  constexpr std::size_t kBegins = 400, kSessions = 600;
  std::mt19937_64 generator(5);
  PredictorSeries series = greekgrid_test::random_predictors(generator, kSessions);
  std::fill_n(series.z[2].begin(), kBegins, kNaN);
  const HorizonData data = make_forecast_data(series);
  std::array<std::vector<double>, kHorizons.size()> kept;
  const auto both = walk_forward(data, {}, series.mad, 5, &kept);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    EXPECT_EQ(bits_of(both[h]), bits_of(walk_forward(data[h], {}, series.mad, 5)));
    const UsableSet usable(data[h]);
    const auto horizon = static_cast<std::size_t>(kHorizons[h]);
    for (std::size_t t = 300; t + horizon < kSessions; ++t) {
      EXPECT_FALSE(std::isnan(kept[h][t])) << t;
      const ForecastQuery query = query_at(data[h], t);
      // Session kBegins + 41 is the 42nd with all four.
      EXPECT_EQ(usable(query.z, query.last), t >= kBegins + 41 + horizon ? kPVGD : kPVD) << t;
      ASSERT_EQ(kept[h][t], forecast(data[h], query, usable(query.z, query.last), false).mean) << t;
    }
  }
}

}  // namespace
}  // namespace greekgrid
