#include "greekgrid/host/predictors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "history_support.hpp"

namespace greekgrid {
namespace {

using test::history_of;
using test::kNan;
using test::lively_history;
using test::sessions_of;
using test::Uniform;

constexpr auto kP = static_cast<std::size_t>(Predictor::kP), kV = static_cast<std::size_t>(Predictor::kV);
constexpr auto kG = static_cast<std::size_t>(Predictor::kG), kD = static_cast<std::size_t>(Predictor::kD);

/// Every column by name.
std::vector<std::pair<std::string, const std::vector<double>*>> columns(const PredictorSeries& p) {
  return {{"r", &p.r},         {"mad", &p.mad},     {"P", &p.x[kP]},         {"V", &p.x[kV]},
          {"G", &p.x[kG]},     {"D", &p.x[kD]},     {"zP", &p.z[kP]},        {"zV", &p.z[kV]},
          {"zG", &p.z[kG]},    {"zD", &p.z[kD]},    {"p_old", &p.p_old},     {"v_raw", &p.v_raw},
          {"v_old", &p.v_old}, {"g_old", &p.g_old}, {"d_old", &p.d_old},     {"rv20", &p.rv20},
          {"atr5", &p.atr5},   {"iv30", &p.iv30},   {"premium", &p.premium}, {"premium_score", &p.premium_score}};
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// That the first `count` sessions of two series are the same, to the bit.
void expect_same(const PredictorSeries& a, const PredictorSeries& b, std::size_t count) {
  const auto left = columns(a), right = columns(b);
  for (std::size_t c = 0; c < left.size(); ++c) {
    for (std::size_t t = 0; t < count; ++t) {
      ASSERT_TRUE(same_bits((*left[c].second)[t], (*right[c].second)[t])) << left[c].first << " of session " << t;
    }
  }
  for (std::size_t t = 0; t < count; ++t) {
    for (std::size_t k = 0; k < kPredictors; ++k) {
      ASSERT_EQ(a.status[k][t], b.status[k][t]) << k << " of session " << t;
      ASSERT_EQ(a.old_status[k][t], b.old_status[k][t]) << k << " of session " << t;
    }
    ASSERT_EQ(a.premium_regime[t], b.premium_regime[t]) << t;
  }
}

/// Inputs that own their values: some missing, G with ties.
struct Inputs {
  std::vector<double> g, g_old, iv30;
  operator SessionInputs() const { return {g, g_old, iv30}; }
};

Inputs lively_inputs(std::size_t count, std::uint64_t seed) {
  Uniform uniform(seed);
  Inputs inputs;
  for (std::size_t t = 0; t < count; ++t) {
    inputs.g.push_back(t % 17 == 0 ? kNan : std::round(50.0 * uniform()) / 50.0);
    inputs.g_old.push_back(t % 19 == 0 ? kNan : 2.0 * uniform());
    inputs.iv30.push_back(t % 23 == 0 ? kNan : 0.1 + 0.3 * uniform());
  }
  return inputs;
}

std::vector<double> closes_of(const std::vector<double>& returns) {
  std::vector<double> close{100.0};
  for (const double r : returns) close.push_back(close.back() * (1.0 + r));
  return close;
}

/// The first session with a value.
std::size_t first(const std::vector<double>& column) {
  return static_cast<std::size_t>(std::find_if(column.begin(), column.end(), [](double x) { return !std::isnan(x); }) -
                                  column.begin());
}

TEST(Predictors, FallOfTwentyPercentThenTwentyDaysUp) {
  // Average moves of 1.00 %, -20 %, and one per cent up for twenty days.
  std::vector<double> returns;
  for (int i = 0; i < 42; ++i) returns.push_back(i % 2 == 0 ? 0.01 : -0.01);
  returns.push_back(-0.20);
  returns.insert(returns.end(), 20, 0.01);
  const PredictorSeries p = compute_predictors(sessions_of(history_of(closes_of(returns))));
  const std::size_t t = returns.size();
  // Closes are products, so a return carries a few roundings of 2^-53; 21 of them, divided by MAD or a hundredth.
  constexpr double kTolerance = 1e-12;
  EXPECT_NEAR(p.mad[42], 0.01, kTolerance);
  EXPECT_NEAR(p.mad[t], 0.40 / 21.0, kTolerance) << "1.905 %";
  EXPECT_NEAR(p.p_old[t], -9.5 / 21.0, kTolerance) << "(-20 + 20/1.905)/21";
  EXPECT_NEAR(p.v_old[t], 19.0 / 21.0, kTolerance);
  EXPECT_NEAR(p.x[kP][t], 0.0, kTolerance);
  EXPECT_NEAR(p.x[kV][t], 0.0, kTolerance);
}

TEST(Predictors, FirstValues) {
  const std::size_t count = 400;
  const PredictorSeries p = compute_predictors(sessions_of(lively_history(count, 2)), lively_inputs(count, 3));
  EXPECT_EQ(first(p.r), 1U);
  EXPECT_EQ(first(p.mad), 21U) << "the 22nd close";
  EXPECT_EQ(first(p.x[kP]), 21U);
  EXPECT_EQ(first(p.x[kV]), 41U) << "the 42nd";
  EXPECT_EQ(first(p.v_raw), 41U);
  EXPECT_EQ(first(p.p_old), 42U) << "the 43rd";
  EXPECT_EQ(first(p.v_old), 42U);
  EXPECT_EQ(first(p.x[kD]), 5U);
  EXPECT_EQ(first(p.d_old), 0U);
  EXPECT_EQ(first(p.rv20), 20U) << "20 returns";
  EXPECT_EQ(first(p.atr5), 5U) << "6 sessions";
  EXPECT_EQ(first(p.z[kP]), 21U + 251U);
  EXPECT_EQ(first(p.z[kV]), 41U + 251U);
  EXPECT_EQ(first(p.z[kD]), 5U + 251U);
  const std::array<std::size_t, kPredictors> from{21, 41, 0, 5}, old_from{42, 42, 0, 0};
  for (const std::size_t k : {kP, kV, kD}) {
    for (std::size_t t = 0; t < count; ++t) {
      EXPECT_EQ(p.status[k][t], t < from[k] ? PredictorStatus::kInsufficientHistory : PredictorStatus::kOk);
      EXPECT_EQ(p.old_status[k][t], t < old_from[k] ? PredictorStatus::kInsufficientHistory : PredictorStatus::kOk);
      EXPECT_EQ(std::isnan(p.x[k][t]), t < from[k]);
    }
  }
  for (std::size_t t = 0; t < count; ++t) {
    EXPECT_EQ(p.status[kG][t], t % 17 == 0 ? PredictorStatus::kMissingInput : PredictorStatus::kOk);
    EXPECT_EQ(p.old_status[kG][t], t % 19 == 0 ? PredictorStatus::kMissingInput : PredictorStatus::kOk);
  }
  // 252 premiums, those of sessions 20 on that have an iv30
  std::size_t premiums = 0;
  for (std::size_t t = 0; t < count; ++t) {
    premiums += !std::isnan(p.premium[t]);
    EXPECT_EQ(std::isnan(p.premium_score[t]), std::isnan(p.premium[t]) || premiums < 252) << t;
    EXPECT_EQ(p.premium_regime[t] == 2, std::isnan(p.premium_score[t])) << t;
  }
}

/// Straight from the definitions, every window and every past afresh, in extended precision.
TEST(Predictors, AreWhatTheirDefinitionsSay) {
  const std::size_t count = 700;
  const DailyHistory history = lively_history(count, 4, {100, 333});
  const Inputs inputs = lively_inputs(count, 5);
  const SessionSeries s = sessions_of(history);
  ASSERT_EQ(s.event.size(), 2U);
  const PredictorSeries p = compute_predictors(s, inputs);
  const auto close_at = [&](std::size_t i, std::size_t t) {  // in USD of t
    long double close = s.close[i];
    for (std::size_t j = i + 1; j <= t; ++j) close /= s.split[j];
    return close;
  };
  std::vector<long double> r(count), mad(count), premium;
  // Values are of the order of 1; a window of 21 rounds 21 times, a quotient of two windows twice that.
  constexpr double kTolerance = 100.0 * 0x1p-52;
  for (std::size_t t = 1; t < count; ++t) {
    r[t] = close_at(t, t) / close_at(t - 1, t) - 1.0L;
    EXPECT_NEAR(p.r[t], static_cast<double>(r[t]), kTolerance);
    if (t >= 20) {
      long double sum = 0.0L;
      for (std::size_t i = t - 19; i <= t; ++i) sum += std::pow(std::log(close_at(i, i) / close_at(i - 1, i)), 2.0L);
      EXPECT_NEAR(p.rv20[t], static_cast<double>(std::sqrt(252.0L / 20.0L * sum)), kTolerance);
    }
    if (t >= 5) {
      long double ranges = 0.0L, ratios = 0.0L;
      for (std::size_t i = t - 4; i <= t; ++i) {
        const long double unit = close_at(i, t) / close_at(i, i), before = close_at(i - 1, t);
        const long double high = s.high[i] * unit, low = s.low[i] * unit;
        ranges += std::max({high - low, std::abs(high - before), std::abs(low - before)});
        ratios += static_cast<long double>(history.short_volume[i - 1]) / history.off_exchange_volume[i - 1];
      }
      EXPECT_NEAR(p.atr5[t], static_cast<double>(ranges / 5.0L), 100.0 * kTolerance) << "of prices about 100";
      EXPECT_NEAR(p.x[kD][t], static_cast<double>(ratios / 5.0L), kTolerance);
    }
    if (t < 21) continue;
    long double sum = 0.0L;
    for (std::size_t i = t - 20; i <= t; ++i) sum += r[i], mad[t] += std::abs(r[i]);
    mad[t] /= 21.0L;
    EXPECT_NEAR(p.mad[t], static_cast<double>(mad[t]), kTolerance);
    EXPECT_NEAR(p.x[kP][t], static_cast<double>(sum / 21.0L / mad[t]), 100.0 * kTolerance) << "MAD is a hundredth";
    if (t < 41) continue;
    long double mean_mad = 0.0L;
    for (std::size_t i = t - 20; i <= t; ++i) mean_mad += mad[i] / 21.0L;
    EXPECT_NEAR(p.x[kV][t], static_cast<double>(mad[t] / mean_mad - 1.0L), 100.0 * kTolerance);
    EXPECT_NEAR(p.v_raw[t], static_cast<double>(mad[t] - mean_mad), kTolerance);
    if (t < 42) continue;
    long double scaled = 0.0L;
    for (std::size_t i = t - 20; i <= t; ++i) scaled += r[i] / mad[i - 1];
    EXPECT_NEAR(p.p_old[t], static_cast<double>(scaled / 21.0L), 100.0 * kTolerance);
    EXPECT_NEAR(p.v_old[t], static_cast<double>((mad[t] - mad[t - 21]) / mad[t - 21]), 100.0 * kTolerance);
  }
  int regimes[3] = {0, 0, 0};
  for (std::size_t t = 0; t < count; ++t) {
    EXPECT_TRUE(same_bits(p.x[kG][t], inputs.g[t]));
    EXPECT_TRUE(same_bits(p.g_old[t], inputs.g_old[t]));
    EXPECT_TRUE(same_bits(p.d_old[t], s.short_ratio[t]));
    if (t < 20 || std::isnan(inputs.iv30[t])) continue;
    premium.push_back(static_cast<long double>(inputs.iv30[t]) - p.rv20[t]);
    if (premium.size() < 252) continue;
    const auto n = static_cast<long double>(premium.size());
    long double mean = 0.0L, variance = 0.0L;
    for (const long double x : premium) mean += x / n;
    for (const long double x : premium) variance += (x - mean) * (x - mean) / n;
    const auto score = static_cast<double>((premium.back() - mean) / std::sqrt(variance));
    EXPECT_NEAR(p.premium_score[t], score, 1e-12) << "a running mean of 700 values of the order of 0.1";
    ASSERT_GT(std::abs(std::abs(score) - 0.5), 1e-9) << "the test tells regimes apart";
    EXPECT_EQ(p.premium_regime[t], score >= 0.5 ? 1 : score <= -0.5 ? -1 : 0);
    ++regimes[p.premium_regime[t] + 1];
  }
  for (const int days : regimes) EXPECT_GT(days, 20);
}

// Whoever sums the same window in the same order has the same bits; a sum that rolls has not.
TEST(Predictors, WindowsAreSummedOldestToNewest) {
  const std::size_t count = 300;
  const PredictorSeries p = compute_predictors(sessions_of(lively_history(count, 12)));
  for (std::size_t t = 41; t < count; ++t) {
    double sum = 0.0, absolute = 0.0, mad = 0.0;
    for (std::size_t i = t - 20; i <= t; ++i) sum += p.r[i], absolute += std::abs(p.r[i]), mad += p.mad[i];
    ASSERT_EQ(p.mad[t], absolute / 21.0) << t;
    ASSERT_EQ(p.x[kP][t], sum / 21.0 / p.mad[t]) << t;
    ASSERT_EQ(p.v_raw[t], p.mad[t] - mad / 21.0) << t;
    ASSERT_EQ(p.x[kV][t], p.mad[t] / (mad / 21.0) - 1.0) << t;
  }
}

TEST(Predictors, RanksCountTheValuesSoFar) {
  Uniform uniform(6);
  std::vector<double> x;
  for (int i = 0; i < 900; ++i) x.push_back(uniform() < 0.1 ? kNan : std::round(40.0 * uniform()) - 20.0);
  x[3] = -0.0, x[4] = 0.0;
  const std::vector<double> z = expanding_rank(x);
  ASSERT_EQ(z.size(), x.size());
  std::size_t ranked = 0;
  for (std::size_t t = 0; t < x.size(); ++t) {
    double less = 0.0, equal = 0.0, count = 0.0;
    for (std::size_t j = 0; j <= t; ++j) less += x[j] < x[t], equal += x[j] == x[t], count += !std::isnan(x[j]);
    if (std::isnan(x[t]) || count < 252.0) {
      EXPECT_TRUE(std::isnan(z[t])) << t;
      continue;
    }
    ++ranked;
    EXPECT_EQ(z[t], 2.0 * ((less + 0.5 * equal) / count) - 1.0) << t;
    EXPECT_GT(z[t], -1.0);
    EXPECT_LT(z[t], 1.0);
    EXPECT_EQ(ExpandingRank(std::span(x).first(t))(x[t]), z[t]) << t;
  }
  EXPECT_GT(ranked, 500U);
  EXPECT_TRUE(std::isnan(ExpandingRank(x)(kNan)));
  const std::vector<double> few(250, 1.0), enough(251, 1.0);
  EXPECT_TRUE(std::isnan(ExpandingRank(few)(1.0)));
  EXPECT_EQ(ExpandingRank(enough)(1.0), 0.0) << "all alike stand in the middle";
  EXPECT_EQ(ExpandingRank(enough)(2.0), 251.5 / 252.0 * 2.0 - 1.0);
  EXPECT_TRUE(expanding_rank({}).empty());
}

TEST(Predictors, KnowNothingOfWhatFollows) {
  const std::size_t count = 640;
  const DailyHistory history = lively_history(count, 7, {30, 200, 500});
  const Inputs inputs = lively_inputs(count, 8);
  const PredictorSeries whole = compute_predictors(sessions_of(history), inputs);
  Uniform uniform(9);
  for (const std::size_t t : {5U, 22U, 42U, 43U, 199U, 200U, 300U, 420U, 600U, 638U}) {
    DailyHistory other = history;
    Inputs others = inputs;
    for (std::size_t i = t + 1; i < count; ++i) {
      const double change = uniform() < 0.05 ? 0.5 : 0.8 + 0.4 * uniform();  // splits too
      for (const DailyQuantity& quantity : kDailyQuantities) (other.*quantity.column)[i] *= change;
      if (uniform() < 0.1) other.off_exchange_volume[i] = 0.0;
      if (uniform() < 0.1) other.volume[i] = kNan;
      for (auto* input : {&others.g, &others.g_old, &others.iv30}) (*input)[i] = uniform() < 0.1 ? kNan : uniform();
    }
    expect_same(compute_predictors(sessions_of(other), others), whole, t + 1);
    // and an end of the series there
    other.row_count[0] = static_cast<std::int64_t>(t + 1);
    for (auto* input : {&others.g, &others.g_old, &others.iv30}) input->resize(t + 1);
    expect_same(compute_predictors(sessions_of(other), others), whole, t + 1);
  }
}

TEST(Predictors, SplitsLeaveNoTrace) {
  // A price halved exactly gives the same quotients to the bit.
  const std::size_t count = 400;
  const DailyHistory plain = lively_history(count, 10);
  DailyHistory split = plain;
  for (std::size_t t = 150; t < count; ++t) {
    for (auto* column : {&split.open, &split.high, &split.low, &split.close}) (*column)[t] /= 2.0;
    split.volume[t] *= 2.0;
  }
  const SessionSeries series = sessions_of(split);
  ASSERT_EQ(series.split[150], 2.0);
  PredictorSeries with = compute_predictors(series);
  for (std::size_t t = 150; t < count; ++t) with.atr5[t] *= 2.0;
  expect_same(with, compute_predictors(sessions_of(plain)), count);
  const std::vector<double> adjusted = adjusted_closes(series);
  for (std::size_t t = 0; t < count; ++t) EXPECT_EQ(adjusted[t], plain.close[t] / 2.0);
}

TEST(Predictors, TrueRangeReachesToTheCloseBefore) {
  DailyHistory history = history_of({100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 56.0});
  history.high = {101.0, 101.0, 101.0, 101.0, 108.0, 99.0, 57.0};
  history.low = {99.0, 99.0, 99.0, 99.0, 105.0, 93.0, 54.0};
  const SplitCorrection two[] = {{"A", history.date[6], 2.0}};
  const PredictorSeries p = compute_predictors(sessions_of(history, two));
  EXPECT_TRUE(std::isnan(p.atr5[4]));
  EXPECT_DOUBLE_EQ(p.atr5[5], (2.0 + 2.0 + 2.0 + 8.0 + 7.0) / 5.0);
  EXPECT_DOUBLE_EQ(p.atr5[6], (1.0 + 1.0 + 4.0 + 3.5 + 7.0) / 5.0) << "USD of after the split";
  history.low[3] = kNan;
  EXPECT_TRUE(std::isnan(compute_predictors(sessions_of(history, two)).atr5[6]));
  EXPECT_TRUE(std::isnan(compute_predictors(sessions_of(history, two)).atr5[5]));
}

TEST(Predictors, MeanMovesOfZeroDivideNothing) {
  std::vector<double> returns(45, 0.0);
  for (int i = 0; i < 60; ++i) returns.push_back(i % 2 == 0 ? 0.01 : -0.02);
  const PredictorSeries p = compute_predictors(sessions_of(history_of(closes_of(returns))));
  using enum PredictorStatus;
  // The last of the unmoved closes is session 45, the first MAD above 0 that of session 46.
  for (std::size_t t = 0; t < p.r.size(); ++t) {
    EXPECT_EQ(p.status[kP][t], t < 21 ? kInsufficientHistory : t <= 45 ? kZeroMad : kOk) << t;
    EXPECT_EQ(p.status[kV][t], t < 41 ? kInsufficientHistory : t <= 45 ? kZeroMad : kOk) << t;
    EXPECT_EQ(p.old_status[kP][t], t < 42 ? kInsufficientHistory : t <= 66 ? kZeroMad : kOk) << t;
    EXPECT_EQ(p.old_status[kV][t], t < 42 ? kInsufficientHistory : t <= 66 ? kZeroMad : kOk) << t;
    EXPECT_EQ(std::isnan(p.x[kP][t]), p.status[kP][t] != kOk) << t;
    EXPECT_EQ(std::isnan(p.x[kV][t]), p.status[kV][t] != kOk) << t;
    EXPECT_EQ(std::isnan(p.p_old[t]), p.old_status[kP][t] != kOk) << t;
    EXPECT_EQ(std::isnan(p.v_old[t]), p.old_status[kV][t] != kOk) << t;
  }
  EXPECT_EQ(p.mad[30], 0.0);
  const NextPredictors still = next_predictors(p, 44, 0.0, false), moves = next_predictors(p, 44, 0.01, false);
  EXPECT_EQ(still.p_status, kZeroMad);
  EXPECT_EQ(still.v_status, kZeroMad);
  EXPECT_EQ(still.mad, 0.0);
  EXPECT_TRUE(std::isnan(still.p) && std::isnan(still.v));
  EXPECT_EQ(moves.p, 1.0);
  EXPECT_EQ(moves.p_status, kOk);
}

TEST(Predictors, ShortRatiosOfFiveDaysBeforeAreAllNeeded) {
  DailyHistory history = history_of(std::vector<double>(24, 10.0));
  for (std::size_t t = 0; t < 24; ++t) {
    history.short_volume[t] = static_cast<double>(t);
    history.off_exchange_volume[t] = 100.0;
  }
  history.short_volume[8] = history.off_exchange_volume[8] = 0.0;
  history.short_volume[16] = kNan;
  const PredictorSeries p = compute_predictors(sessions_of(history));
  using enum PredictorStatus;
  for (std::size_t t = 0; t < 24; ++t) {
    const auto expected = t < 5                ? kInsufficientHistory
                          : t >= 9 && t <= 13  ? kZeroVolume
                          : t >= 17 && t <= 21 ? kMissingInput
                                               : kOk;
    EXPECT_EQ(p.status[kD][t], expected) << t;
    EXPECT_EQ(std::isnan(p.x[kD][t]), expected != kOk) << t;
    EXPECT_EQ(p.old_status[kD][t], t == 8 ? kZeroVolume : t == 16 ? kMissingInput : kOk) << t;
    if (expected != kOk) continue;
    EXPECT_DOUBLE_EQ(p.x[kD][t], (static_cast<double>(t) - 3.0) / 100.0) << "of t-5 .. t-1";
  }
}

TEST(Predictors, NextSessionIsWhatAnAppendedOneWouldBe) {
  const std::size_t count = 420;
  const DailyHistory history = lively_history(count, 11, {250});
  const SessionSeries sessions = sessions_of(history);
  const PredictorSeries whole = compute_predictors(sessions);
  for (std::size_t t = 0; t + 1 < count; ++t) {
    const NextPredictors next = next_predictors(whole, t, whole.r[t + 1], false);
    const NextPredictors self = next_predictors(whole, t + 1, whole.r[t + 1], true);
    for (const NextPredictors* n : {&next, &self}) {
      ASSERT_TRUE(same_bits(n->p, whole.x[kP][t + 1])) << t;
      ASSERT_TRUE(same_bits(n->v, whole.x[kV][t + 1])) << t;
      ASSERT_TRUE(same_bits(n->mad, whole.mad[t + 1])) << t;
      ASSERT_EQ(n->p_status, whole.status[kP][t + 1]) << t;
      ASSERT_EQ(n->v_status, whole.status[kV][t + 1]) << t;
    }
    for (const std::size_t k : {kP, kV}) {
      const double z = ExpandingRank(std::span(whole.x[k]).first(t + 1))(whole.x[k][t + 1]);
      ASSERT_TRUE(same_bits(z, whole.z[k][t + 1])) << t;
    }
  }
  // A close that never was: appended, and in the place of the last.
  for (const double move : {-0.3, -0.01, 0.0, 0.02, 0.15}) {
    for (const bool replace : {false, true}) {
      DailyHistory other = lively_history(replace ? count : count + 1, 11, {250});
      const std::size_t end = replace ? count - 1 : count;
      other.close[end] = other.close[end - 1] * (1.0 + move);
      const PredictorSeries actual = compute_predictors(sessions_of(other));
      const NextPredictors next = next_predictors(whole, count - 1, actual.r[end], replace);
      EXPECT_TRUE(same_bits(next.p, actual.x[kP][end])) << move;
      EXPECT_TRUE(same_bits(next.v, actual.x[kV][end])) << move;
      EXPECT_TRUE(same_bits(next.mad, actual.mad[end])) << move;
    }
  }
  EXPECT_EQ(next_predictors(whole, 100, kNan, false).p_status, PredictorStatus::kMissingInput);
  EXPECT_THROW(next_predictors(whole, count, 0.0, false), std::invalid_argument);
}

TEST(Predictors, OfNothingAreNothing) {
  EXPECT_TRUE(compute_predictors(SessionSeries()).r.empty());
  const SessionSeries series = sessions_of(history_of({1.0, 2.0}));
  const std::vector<double> three(3, 0.5);
  EXPECT_THROW(compute_predictors(series, {three, {}, {}}), std::invalid_argument);
  EXPECT_THROW(compute_predictors(series, {{}, three, {}}), std::invalid_argument);
  EXPECT_THROW(compute_predictors(series, {{}, {}, three}), std::invalid_argument);
  SessionSeries broken = series;
  broken.high.pop_back();
  EXPECT_THROW(compute_predictors(broken), std::invalid_argument);
}

}  // namespace
}  // namespace greekgrid
