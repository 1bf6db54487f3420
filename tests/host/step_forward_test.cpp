// Hypothetical closes: session t itself where its own close is replaced by itself, the next session where one follows.

#include "greekgrid/host/step_forward.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "greekgrid/kernels/views.hpp"

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr Instant kDay = 86400, kStart = 1'500'000'000 / kDay * kDay;

// Sessions a day apart with returns of a given size, short ratios and a book whose G every session has.
struct World {
  SessionSeries sessions;
  PredictorSeries predictors;
  std::vector<double> g;
  std::vector<double> strike, open_interest, multiplier;
  std::vector<std::int8_t> right;
  std::vector<Instant> settlement;

  World(std::size_t count, double size, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> step(0.0, size);
    std::uniform_real_distribution<double> ratio(0.3, 0.6);
    double close = 100.0;
    for (std::size_t t = 0; t < count; ++t) append(close *= std::exp(step(random)), ratio(random));
    std::uniform_real_distribution<double> interest(0.0, 900.0);
    for (int k = 60; k <= 140; k += 5) {
      for (const int days : {0, 1, 2, 30}) {
        for (const int phi : {1, -1}) {
          strike.push_back(close * k / 100.0);
          right.push_back(static_cast<std::int8_t>(phi));
          open_interest.push_back(interest(random));
          multiplier.push_back(100.0);
          settlement.push_back(now() + days * kDay);
        }
      }
    }
    for (std::size_t t = 0; t < count; ++t) g.push_back(percent_gamma(book(), sessions.close[t], now()).share());
    predictors = compute_predictors(sessions, {g, {}, {}});
  }
  void append(double close, double ratio) {
    sessions.date.push_back(kStart + static_cast<Instant>(sessions.sessions()) * kDay);
    for (auto* column : {&sessions.open, &sessions.high, &sessions.low, &sessions.volume}) column->push_back(kNaN);
    sessions.close.push_back(close);
    sessions.short_ratio.push_back(ratio);
    sessions.short_zero_volume.push_back(0);
    sessions.split.push_back(1.0);
    sessions.after_gap.push_back(0);
  }
  Instant now() const { return kStart + static_cast<Instant>(kCount) * kDay; }
  PercentGammaBook book() const { return {strike, right, open_interest, multiplier, settlement}; }
  StepInputs inputs() const {
    StepInputs in;
    in.sessions = &sessions;
    in.predictors = &predictors;
    in.book = book();
    in.now = now();
    in.next_close = now() + kDay;
    return in;
  }
  static constexpr std::size_t kCount = 900;
};

void expect_same(const Forecast& a, const Forecast& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.set, b.set);
  EXPECT_EQ(a.session, b.session);
  EXPECT_NEAR(a.mean, b.mean, 1e-12);
  EXPECT_NEAR(a.median, b.median, 1e-12);
  EXPECT_NEAR(a.n_eff, b.n_eff, 1e-10);
  for (std::size_t q = 0; q < a.quantile.size(); ++q) EXPECT_NEAR(a.quantile[q], b.quantile[q], 1e-12);
}

TEST(StepForward, ReplacingACloseByItselfIsTheSessionItself) {
  const World world(World::kCount, 0.01, 3);
  const StepForward step = step_forward(world.inputs(), StepMode::kReplace);
  const std::size_t zero = step.axis.zero(), t = World::kCount - 1;
  EXPECT_EQ(step.axis.x(zero), 0.0);
  EXPECT_EQ(step.close[zero], world.sessions.close[t]);
  EXPECT_NEAR(step.mad[zero], world.predictors.mad[t], 1e-15);
  std::array<double, kPredictors> z{};
  for (std::size_t k = 0; k < kPredictors; ++k) {
    EXPECT_NEAR(step.value[k][zero], world.predictors.x[k][t], 1e-12) << k;
    EXPECT_NEAR(step.z[k][zero], world.predictors.z[k][t], 1e-12) << k;
    z[k] = world.predictors.z[k][t];
  }
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    const ForecastData data = make_forecast_data(world.predictors, kHorizons[h]);
    const ForecastQuery query = {z, static_cast<std::ptrdiff_t>(t) - kHorizons[h], t};
    expect_same(step.forecast[h][zero], forecast(data, query, UsableSet(data)(z, query.last)));
  }
}

TEST(StepForward, AnAppendedCloseIsTheNextSession) {
  const World world(World::kCount, 0.01, 4);
  const StepForward step = step_forward(world.inputs(), StepMode::kAppend);
  EXPECT_FALSE(step.d_held);
  EXPECT_FALSE(step.g_held);
  const std::size_t t = World::kCount - 1;
  for (const std::size_t c : {std::size_t{0}, step.axis.zero() - 37, step.axis.zero(), step.axis.size() - 1}) {
    World longer = world;
    longer.append(step.close[c], 0.5);
    longer.g.push_back(percent_gamma(world.book(), step.close[c], world.now() + kDay).share());
    const PredictorSeries next = compute_predictors(longer.sessions, {longer.g, {}, {}});
    for (std::size_t k = 0; k < kPredictors; ++k) {
      EXPECT_NEAR(step.value[k][c], next.x[k][t + 1], k == 2 ? 2e-7 : 1e-12) << c << " " << k;
      EXPECT_NEAR(step.z[k][c], next.z[k][t + 1], 1e-12) << c << " " << k;
    }
    EXPECT_NEAR(step.mad[c], next.mad[t + 1], 1e-15);
    std::array<double, kPredictors> z{};
    for (std::size_t k = 0; k < kPredictors; ++k) z[k] = next.z[k][t + 1];
    // Candidates are those of session t: what the next close would add is not known yet.
    const ForecastData data = make_forecast_data(world.predictors, 5);
    expect_same(step.forecast[0][c], forecast(data, {z, static_cast<std::ptrdiff_t>(t) - 5, t + 1},
                                              UsableSet(data)(z, static_cast<std::ptrdiff_t>(t) - 5)));
  }
}

TEST(StepForward, WhatExpiresOnTheWayHasLeftTheBook) {
  const World world(World::kCount, 0.01, 5);
  const StepForward append = step_forward(world.inputs(), StepMode::kAppend);
  const StepForward replace = step_forward(world.inputs(), StepMode::kReplace);
  const auto g = static_cast<std::size_t>(Predictor::kG);
  const double close = world.sessions.close.back();
  EXPECT_EQ(append.value[g][append.axis.zero()], percent_gamma(world.book(), close, world.now() + kDay).share());
  EXPECT_EQ(replace.value[g][replace.axis.zero()], percent_gamma(world.book(), close, world.now()).share());
  EXPECT_NE(append.value[g][append.axis.zero()], replace.value[g][replace.axis.zero()]);
  StepInputs without = world.inputs();
  without.book.reset();
  const StepForward held = step_forward(without, StepMode::kAppend);
  EXPECT_TRUE(held.g_held);
  EXPECT_EQ(held.value[g][0], world.predictors.x[g].back());
}

TEST(StepForward, TheShortRatioIsHeldWhereTheDaysIsNotKnown) {
  World world(World::kCount, 0.01, 6);
  world.sessions.short_ratio.back() = kNaN;
  world.predictors = compute_predictors(world.sessions, {world.g, {}, {}});
  const StepForward step = step_forward(world.inputs(), StepMode::kAppend);
  const auto d = static_cast<std::size_t>(Predictor::kD);
  EXPECT_TRUE(step.d_held);
  EXPECT_EQ(step.value[d][0], world.predictors.x[d].back());
}

TEST(StepForward, TheAxisReachesWhatTheTickerHasDone) {
  World calm(World::kCount, 0.01, 7);
  const std::size_t t = World::kCount - 1;
  const StepAxis plain = step_axis(calm.predictors, t);
  EXPECT_LE(plain.first, -200);
  EXPECT_GE(plain.last, 100);
  calm.predictors.r[500] = -12.34 * calm.predictors.mad[499];
  calm.predictors.r[600] = 7.81 * calm.predictors.mad[599];
  const StepAxis wide = step_axis(calm.predictors, t);
  EXPECT_EQ(wide.first, -247);  // floor(20 x -12.34)
  EXPECT_EQ(wide.last, 157);    // ceil(20 x 7.81)
  EXPECT_EQ(wide.size(), 405U);
  EXPECT_EQ(wide.x(wide.zero()), 0.0);
  EXPECT_EQ(step_axis(calm.predictors, 550).last, plain.last);  // what comes later is not looked at
}

TEST(StepForward, ACloseOfNothingHasItsReason) {
  const World wild(World::kCount, 0.25, 8);
  const StepForward step = step_forward(wild.inputs(), StepMode::kAppend);
  ASSERT_LT(1.0 + step.axis.x(0) * wild.predictors.mad.back(), 0.0);
  EXPECT_EQ(step.status[0], CloseStatus::kNonpositiveClose);
  EXPECT_TRUE(std::isnan(step.value[0][0]));
  EXPECT_EQ(step.status[step.axis.zero()], CloseStatus::kOk);
  EXPECT_TRUE(std::isfinite(step.value[0][step.axis.zero()]));
}

TEST(StepForward, TheBestAndTheWorstCloseAreTheFirstOnes) {
  StepForward step;
  step.axis = {-220, 120};
  for (auto& list : step.forecast) list.resize(step.axis.size());
  for (std::size_t c = 0; c < step.axis.size(); ++c) {
    Forecast& f = step.forecast[0][c];
    f.status = ForecastStatus::kOk;
    f.mean = 0.1;
  }
  EXPECT_EQ(step.extremes(0).best, -10.0);  // ties: the first within [-10, 5]
  step.forecast[0][0].mean = 9.0;           // -11: outside
  step.forecast[0].back().mean = -9.0;      // +6: outside
  step.forecast[0][step.axis.zero() + 3].mean = 0.5;
  step.forecast[0][step.axis.zero() - 8].mean = -0.5;
  const StepForward::Extremes found = step.extremes(0);
  EXPECT_TRUE(found.known);
  EXPECT_EQ(found.best, 0.15);
  EXPECT_EQ(found.worst, -0.4);
  EXPECT_FALSE(step.extremes(1).known);
}

}  // namespace
}  // namespace greekgrid
