// Sessions and predictors of real closes: against their definitions, against numbers made with another language, and
// the splits of two hundred shares.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <string>

#include "greekgrid/host/predictors.hpp"
#include "greekgrid/io/history_ingest.hpp"
#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

constexpr auto kP = static_cast<std::size_t>(Predictor::kP), kV = static_cast<std::size_t>(Predictor::kV);
constexpr auto kD = static_cast<std::size_t>(Predictor::kD);
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::filesystem::path history_file(const char* file) {
  return test::data_dir() / "history" / file;
}

DailyHistory read(const char* file) {
  return read_history_source(history_file(file), Calendar(), {}).history;
}

constexpr const char* kSpx = "spx_daily_19900102_20260717.csv";
constexpr const char* kVix = "VIX_History_19900102_20260707.csv";
constexpr const char* kDix = "DIX_to_20241231.csv";
constexpr const char* kShares = "us_close_volume_200x_2021_2026.csv.gz";

std::string text_of(Instant midnight) {
  const Date date{std::chrono::sys_days{std::chrono::days{midnight / 86400}}};
  char text[16];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()), unsigned{date.month()},
                unsigned{date.day()});
  return text;
}

std::size_t session_of(const SessionSeries& series, const std::string& date) {
  for (std::size_t t = 0; t < series.sessions(); ++t) {
    if (text_of(series.date[t]) == date) return t;
  }
  ADD_FAILURE() << "no session " << date;
  return 0;
}

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

TEST(RealHistory, SpxPredictorsAreWhatTheirDefinitionsSay) {
  GREEKGRID_REQUIRE_FILE(history_file(kSpx));
  const SessionSeries s = make_sessions(read(kSpx), 0, Calendar(), {});
  const std::size_t count = s.sessions();
  ASSERT_EQ(count, 9202U);
  EXPECT_TRUE(s.event.empty()) << "an index does not split, and |ln R| never was 0.22";
  const PredictorSeries p = compute_predictors(s);
  std::vector<long double> r(count), mad(count);
  // Windows of 21 values of the order of 0.01, each a few roundings of 2^-53 of a quotient of about 1; quotients of
  // windows are divided by a MAD of at least 0.001.
  constexpr double kTolerance = 1e-15, kQuotientTolerance = 1e-12;
  for (std::size_t t = 1; t < count; ++t) {
    r[t] = static_cast<long double>(s.close[t]) / s.close[t - 1] - 1.0L;
    ASSERT_NEAR(p.r[t], static_cast<double>(r[t]), kTolerance);
    if (t < 21) continue;
    long double sum = 0.0L, absolute = 0.0L, mean_mad = 0.0L;
    for (std::size_t i = t - 20; i <= t; ++i) sum += r[i], absolute += std::abs(r[i]);
    mad[t] = absolute / 21.0L;
    ASSERT_NEAR(p.mad[t], static_cast<double>(mad[t]), kTolerance);
    ASSERT_NEAR(p.x[kP][t], static_cast<double>(sum / absolute), kQuotientTolerance);
    if (t < 41) continue;
    for (std::size_t i = t - 20; i <= t; ++i) mean_mad += mad[i] / 21.0L;
    ASSERT_NEAR(p.x[kV][t], static_cast<double>(mad[t] / mean_mad - 1.0L), kQuotientTolerance);
  }
  for (const std::size_t k : {kP, kV}) {
    const std::vector<double>& x = p.x[k];
    std::size_t valid = 0;
    for (std::size_t t = 0; t < count; ++t) {
      valid += !std::isnan(x[t]);
      if (valid < 252) {
        ASSERT_TRUE(std::isnan(p.z[k][t]));
        continue;
      }
      std::size_t less = 0, equal = 0;
      for (std::size_t j = 0; j <= t; ++j) less += x[j] < x[t], equal += x[j] == x[t];
      const double u = (static_cast<double>(less) + 0.5 * static_cast<double>(equal)) / static_cast<double>(valid);
      ASSERT_EQ(p.z[k][t], 2.0 * u - 1.0) << t;
    }
  }
}

// Made once with numpy 1.24 and pandas 1.5 by the definitions, over the whole past afresh for every session.
TEST(RealHistory, SpxPredictorsOfThreeDays) {
  GREEKGRID_REQUIRE_FILE(history_file(kSpx));
  GREEKGRID_REQUIRE_FILE(history_file(kVix));
  const SessionSeries s = make_sessions(read(kSpx), 0, Calendar(), {});
  const DailyHistory vix = read(kVix);
  std::map<Instant, double> vix_close;
  for (std::size_t i = 0; i < vix.rows(); ++i) vix_close[vix.date[i]] = vix.close[i] / 100.0;
  std::vector<double> iv30;
  for (const Instant date : s.date) iv30.push_back(vix_close.contains(date) ? vix_close[date] : kNan);
  const PredictorSeries p = compute_predictors(s, {{}, {}, iv30});
  struct Row {
    const char* date;
    double r, mad, p, v, zp, zv, p_old, v_old, rv20, atr5, score;
    int regime;
  };
  for (const Row& row : {
           Row{"2008-10-10", -0.011759289177065702, 0.03200767448669274, -0.463055074057828, 0.4394954539781226,
               -0.9760288502333475, 0.9755006391137622, -0.6648807389380899, 1.898572087863852, 0.6664196269641836,
               82.13001708984373, -0.32650140290055635, 0},
           {"2020-03-16", -0.11984055240393443, 0.03776958130716635, -0.4022433453207534, 1.526315136283468,
            -0.9545394650151535, 0.9998678821508786, -1.1260322823777056, 4.917587009648021, 0.8375242061682626,
            229.37802734375, -1.25679453758759, -1},
           {"2024-08-05", -0.02996879838863975, 0.009509002228418667, -0.3471083609308426, 0.7290259418233394,
            -0.9170597032094789, 0.988354663899458, -0.4437600656179861, 1.5955166385291686, 0.19811717277881585,
            146.1041015625, 3.1620645700952226, 1},
       }) {
    SCOPED_TRACE(row.date);
    const std::size_t t = session_of(s, row.date);
    EXPECT_NEAR(p.r[t], row.r, 1e-15);
    EXPECT_NEAR(p.mad[t], row.mad, 1e-15);
    EXPECT_NEAR(p.x[kP][t], row.p, 1e-12);
    EXPECT_NEAR(p.x[kV][t], row.v, 1e-12);
    EXPECT_NEAR(p.z[kP][t], row.zp, 1e-15);
    EXPECT_NEAR(p.z[kV][t], row.zv, 1e-15);
    EXPECT_NEAR(p.p_old[t], row.p_old, 1e-12);
    EXPECT_NEAR(p.v_old[t], row.v_old, 1e-12);
    EXPECT_NEAR(p.rv20[t], row.rv20, 1e-12);
    EXPECT_NEAR(p.atr5[t], row.atr5, 1e-10) << "of prices of thousands";
    EXPECT_NEAR(p.premium_score[t], row.score, 1e-10) << "a running mean of up to 8713 values";
    EXPECT_EQ(p.premium_regime[t], row.regime);
  }
}

TEST(RealHistory, NextSessionIsWhatAnAppendedOneIs) {
  GREEKGRID_REQUIRE_FILE(history_file(kSpx));
  const DailyHistory history = read(kSpx);
  const Calendar calendar;
  for (const std::size_t t : {20U, 21U, 40U, 41U, 42U, 300U, 4733U, 7608U, 9200U}) {
    DailyHistory known = history;
    known.row_count[0] = static_cast<std::int64_t>(t + 1);
    const PredictorSeries before = compute_predictors(make_sessions(known, 0, calendar, {}));
    for (const double close : {history.close[t + 1], history.close[t], 0.8 * history.close[t]}) {
      DailyHistory longer = history;
      longer.row_count[0] = static_cast<std::int64_t>(t + 2);
      longer.close[t + 1] = close;
      const PredictorSeries after = compute_predictors(make_sessions(longer, 0, calendar, {}));
      const NextPredictors next = next_predictors(before, t, after.r[t + 1], false);
      EXPECT_TRUE(same_bits(next.mad, after.mad[t + 1])) << t;
      EXPECT_TRUE(same_bits(next.p, after.x[kP][t + 1])) << t;
      EXPECT_TRUE(same_bits(next.v, after.x[kV][t + 1])) << t;
      EXPECT_TRUE(same_bits(ExpandingRank(before.x[kP])(next.p), after.z[kP][t + 1])) << t;
      EXPECT_TRUE(same_bits(ExpandingRank(before.x[kV])(next.v), after.z[kV][t + 1])) << t;
    }
    const NextPredictors same = next_predictors(before, t, before.r[t], true);
    EXPECT_TRUE(same_bits(same.mad, before.mad[t])) << t;
    EXPECT_TRUE(same_bits(same.p, before.x[kP][t])) << t;
    EXPECT_TRUE(same_bits(same.v, before.x[kV][t])) << t;
  }
}

TEST(RealHistory, DixIsTheShortRatio) {
  GREEKGRID_REQUIRE_FILE(history_file(kDix));
  const DailyHistory history = read(kDix);
  const SessionSeries s = make_sessions(history, 0, Calendar(), {});
  const PredictorSeries p = compute_predictors(s);
  ASSERT_EQ(s.sessions(), 3440U);
  EXPECT_EQ(p.status[kD][4], PredictorStatus::kInsufficientHistory);
  for (std::size_t t = 5; t < s.sessions(); ++t) {
    double sum = 0.0;
    for (std::size_t i = t - 5; i < t; ++i) sum += history.dix[i];
    ASSERT_EQ(p.x[kD][t], sum / 5.0) << t;
    ASSERT_EQ(p.d_old[t], history.dix[t]) << t;
  }
  EXPECT_NEAR(p.x[kD][100], 0.46013807009309815, 1e-14) << "by pandas";
  // The extremes of r over the MAD of the day before bound the step-forward grid: -11.30 .. +7.80 in steps of 1/20.
  double least = 0.0, most = 0.0;
  for (std::size_t t = 22; t < s.sessions(); ++t) {
    least = std::min(least, p.r[t] / p.mad[t - 1]);
    most = std::max(most, p.r[t] / p.mad[t - 1]);
  }
  EXPECT_EQ(std::floor(20.0 * least), -226.0);
  EXPECT_EQ(std::ceil(20.0 * most), 156.0);
}

TEST(RealHistory, SplitsOfTwoHundredShares) {
  GREEKGRID_REQUIRE_FILE(history_file(kShares));
  const DailyHistory history = read(kShares);
  const Calendar calendar;
  std::vector<std::string> split, left;  // left: candidates by their ratio that stand as returns
  std::size_t jumps = 0;
  for (std::size_t u = 0; u < history.symbols(); ++u) {
    const SessionSeries series = make_sessions(history, u, calendar, {});
    for (const SplitEvent& event : series.event) {
      const std::string name = history.symbol[u] + " " + text_of(event.date);
      EXPECT_EQ(event.factor, series.split[event.session]);
      if (event.factor != 1.0) {
        char factor[16];
        std::snprintf(factor, sizeof factor, " %g", event.factor);
        split.push_back(name + factor);
        // What is left of the day is a return like others.
        EXPECT_LT(std::abs(std::log(event.ratio / event.factor)), 0.10) << name;
      } else {
        ++jumps;
        if (std::abs(std::log(event.ratio)) >= std::log(1.7)) left.push_back(name);
      }
    }
  }
  // One is none: DELL's 2:1 is the spin-off of VMware, whose price and volume look like a split. Only a correction can
  // tell.
  EXPECT_THAT(
      split,
      ::testing::ElementsAre(
          "AMZN 2022-06-06 20", "ANET 2021-11-18 4", "ANET 2024-12-04 4", "APH 2021-03-05 2", "APH 2024-06-12 2",
          "AVGO 2024-07-15 10", "BKNG 2026-04-06 25", "CMG 2024-06-26 50", "CRWD 2026-07-02 4", "CSX 2021-06-29 3",
          "CVNA 2026-05-08 5", "DELL 2021-11-02 2", "FTNT 2022-06-23 5", "GE 2021-08-02 0.125", "GOOG 2022-07-18 20",
          "GOOGL 2022-07-18 20", "ISRG 2021-10-05 3", "KLAC 2026-06-12 10", "LRCX 2024-10-03 10", "MCHP 2021-10-13 2",
          "MSTR 2024-08-08 10", "NFLX 2025-11-17 10", "NOW 2025-12-18 5", "NVDA 2021-07-20 4", "NVDA 2024-06-10 10",
          "NVO 2023-09-20 2", "ORLY 2025-06-10 15", "PANW 2022-09-14 3", "PANW 2024-12-16 2", "SHOP 2022-06-29 10",
          "SHW 2021-04-01 3", "SMCI 2024-10-01 10", "TSLA 2022-08-25 3", "WMT 2024-02-26 3"));
  EXPECT_THAT(left, ::testing::ElementsAre("CVNA 2022-12-07", "MRNA 2026-08-19"))
      << "a crash by 43 % and a rise by 177 %";
  EXPECT_EQ(jumps, 195U) << "others of more than 22 %, among them SMCI's crash of 2026-03-20 by a third";
}

TEST(RealHistory, CorrectionsOfRealShares) {
  GREEKGRID_REQUIRE_FILE(history_file(kShares));
  const DailyHistory history = read(kShares);
  const auto symbol = [&](const char* name) {
    const auto found = std::find(history.symbol.begin(), history.symbol.end(), name);
    EXPECT_NE(found, history.symbol.end()) << name;
    return static_cast<std::size_t>(found - history.symbol.begin());
  };
  const Instant spin_off =
      Instant{std::chrono::sys_days{std::chrono::year{2021} / 11 / 2}.time_since_epoch().count()} * 86400;
  const std::vector<SplitCorrection> corrections{{"DELL", spin_off, 1.9703}};
  const SessionSeries dell = make_sessions(history, symbol("DELL"), Calendar(), corrections);
  const std::size_t t = session_of(dell, "2021-11-02");
  EXPECT_EQ(dell.split[t], 1.9703);
  EXPECT_NEAR(compute_predictors(dell).r[t], 54.61 * 1.9703 / 111.51 - 1.0, 1e-15);
  const SessionSeries nvda = make_sessions(history, symbol("NVDA"), Calendar(), corrections);
  const std::size_t ten = session_of(nvda, "2024-06-10");
  EXPECT_NEAR(compute_predictors(nvda).r[ten], 0.0074614, 1e-7) << "121.79 of 120.888";
  EXPECT_DOUBLE_EQ(adjusted_closes(nvda)[session_of(nvda, "2021-01-29")], 519.59 / 40.0) << "4:1 and 10:1 since";
}

}  // namespace
}  // namespace greekgrid
