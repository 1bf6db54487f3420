#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "history_support.hpp"

namespace greekgrid {
namespace {

using test::blank_history;
using test::history_of;
using test::kNan;
using test::sessions_of;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::NanSensitiveDoubleEq;

/// Five days of the same volume at 100, then a close and a volume.
SessionSeries after_calm_days(double close, double volume, std::span<const SplitCorrection> corrections = {}) {
  DailyHistory history = history_of({100.0, 100.0, 100.0, 100.0, 100.0, close});
  history.volume = {7.0, 1000.0, 900.0, 1100.0, 1e9, volume};  // median 1000
  return sessions_of(history, corrections);
}

TEST(Sessions, AreTheRowsWithAClose) {
  DailyHistory history = blank_history(8);
  history.close = {kNan, 10.0, 11.0, kNan, 12.0, 0.0, 13.0, 14.0};
  history.volume = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, kNan, 8.0};
  history.high[2] = 11.5;
  const SessionSeries series = sessions_of(history);
  EXPECT_THAT(series.close, ElementsAre(10.0, 11.0, 12.0, 13.0, 14.0));
  EXPECT_THAT(series.date,
              ElementsAre(history.date[1], history.date[2], history.date[4], history.date[6], history.date[7]));
  EXPECT_THAT(series.volume, ElementsAre(2.0, 3.0, 5.0, NanSensitiveDoubleEq(kNan), 8.0));
  EXPECT_EQ(series.high[1], 11.5);
  EXPECT_THAT(series.after_gap, ElementsAre(0, 0, 1, 1, 0)) << "days without a close are missing sessions";
  EXPECT_THAT(series.event, IsEmpty());
  EXPECT_EQ(make_sessions(blank_history(3), 0, Calendar(), {}).sessions(), 0U);
}

TEST(Sessions, WeekendsAndHolidaysAreNoGaps) {
  DailyHistory history = history_of({10.0, 10.0, 10.0, 10.0});
  history.date = {test::midnight(2026, 7, 2), test::midnight(2026, 7, 6), test::midnight(2026, 7, 7),
                  test::midnight(2026, 7, 9)};  // Independence Day is kept on Friday the 3rd
  EXPECT_THAT(sessions_of(history).after_gap, ElementsAre(0, 0, 0, 1));
}

TEST(Sessions, OfOneSymbolOfMany) {
  DailyHistory history = history_of({1.0, 2.0, 10.0, 11.0, 12.0});
  history.symbol = {"A", "BRK/B"};
  history.row_begin = {0, 2};
  history.row_count = {2, 3};
  const SplitCorrection corrections[] = {{"A", history.date[3], 7.0}, {"BRK.B", history.date[4], 1.5}};
  const SessionSeries series = make_sessions(history, 1, Calendar(), corrections);
  EXPECT_THAT(series.close, ElementsAre(10.0, 11.0, 12.0));
  EXPECT_THAT(series.split, ElementsAre(1.0, 1.0, 1.5)) << "its own corrections, however its class is spelled";
}

TEST(Sessions, SplitsAreRatiosNearAFactorAtUsualDollarVolume) {
  struct Case {
    double close, volume, factor;
    bool event;
  };
  for (const Case& c : {
           Case{50.0, 2000.0, 2.0, true},
           {100.0 / 1.9, 2000.0, 2.0, true},
           {100.0 / 1.80, 2000.0, 1.0, true},  // ln(1.80/2) = -0.105: too far from 2
           {100.0 / 1.82, 2000.0, 2.0, true},  // -0.094
           {100.0 / 1.69, 1000.0, 1.0, true},  // no candidate
           {100.0 / 1.4998, 1.0, 1.0, true},   // a crash
           {100.0 / 1.25, 1.0, 1.0, true},     // ln 1.25 = 0.223
           {100.0 / 1.24, 1.0, 1.0, false},    // 0.215
           {124.0, 1.0, 1.0, false},
           {125.0, 1.0, 1.0, true},
           {100.0 / 3.0, 3000.0, 3.0, true},
           {100.0 / 3.4, 3000.0, 1.0, true},  // ln(3.4/3) = 0.125, ln(3.4/4) = -0.163
           {100.0 / 9.9259, 10000.0, 10.0, true},
           {100.0 / 23.8, 1.0, 25.0, true},
           {100.0 / 49.85, 1.0, 50.0, true},
           {100.0 / 99.0, 1.0, 100.0, true},
           {100.0 / 112.0, 1.0, 1.0, true},
           {800.0, 100.0, 1.0 / 8.0, true},  // one for eight
           {776.8, 100.0, 1.0 / 8.0, true},
           {3000.0, 100.0, 1.0 / 30.0, true},
           {50.0, 10000.0, 2.0, true},  // exactly five times the dollars
           {50.0, 10001.0, 1.0, true},  // a crash trades more
           {50.0, kNan, 1.0, true},
       }) {
    const SessionSeries series = after_calm_days(c.close, c.volume);
    EXPECT_EQ(series.split[5], c.factor) << c.close << " " << c.volume;
    ASSERT_EQ(series.event.size(), c.event ? 1U : 0U) << c.close;
    if (series.event.empty()) continue;
    EXPECT_EQ(series.event[0].session, 5U);
    EXPECT_EQ(series.event[0].date, series.date[5]);
    EXPECT_EQ(series.event[0].ratio, 100.0 / c.close);
    EXPECT_EQ(series.event[0].factor, c.factor);
    EXPECT_FALSE(series.event[0].corrected);
  }
}

TEST(Sessions, WithoutFiveVolumesNothingIsASplit) {
  EXPECT_THAT(sessions_of(history_of({100.0, 100.0, 100.0, 100.0, 100.0, 50.0})).split, Each(1.0));
  DailyHistory history = history_of({100.0, 100.0, 100.0, 100.0, 50.0});
  history.volume.assign(5, 1000.0);
  EXPECT_THAT(sessions_of(history).split, Each(1.0)) << "only four days before";
  EXPECT_EQ(sessions_of(history).event.size(), 1U);
  history = history_of({100.0, 100.0, 100.0, 100.0, 100.0, 50.0});
  history.volume.assign(6, 1000.0);
  EXPECT_EQ(sessions_of(history).split[5], 2.0);
  history.volume[2] = kNan;
  EXPECT_THAT(sessions_of(history).split, Each(1.0));
  history.volume.assign(6, 0.0);
  EXPECT_THAT(sessions_of(history).split, Each(1.0)) << "no usual volume to compare with";
}

TEST(Sessions, VolumesBeforeAnEarlierSplitCountInItsShares) {
  // Ten for one, and two days later again. The usual volume is 10000 in the shares of the day before, 1000 as
  // published: 400000 shares at a tenth of the price are four times its dollars, not forty.
  DailyHistory history = history_of({100.0, 100.0, 100.0, 100.0, 100.0, 10.0, 10.0, 1.0});
  history.volume = {1000.0, 1000.0, 1000.0, 1000.0, 1000.0, 10000.0, 10000.0, 400000.0};
  const SessionSeries series = sessions_of(history);
  EXPECT_THAT(series.split, ElementsAre(1.0, 1.0, 1.0, 1.0, 1.0, 10.0, 1.0, 10.0));
  EXPECT_THAT(adjusted_closes(series), Each(1.0));
}

TEST(Sessions, CorrectionsComeFirst) {
  const Instant day = blank_history(6).date[5];
  const SplitCorrection refuse[] = {{"A", day, 1.0}};
  SessionSeries series = after_calm_days(50.0, 2000.0, refuse);
  EXPECT_THAT(series.split, Each(1.0));
  ASSERT_EQ(series.event.size(), 1U);
  EXPECT_TRUE(series.event[0].corrected);
  EXPECT_EQ(series.event[0].factor, 1.0);

  const SplitCorrection spin_off[] = {{"A", day, 1.9703}};
  series = after_calm_days(50.0, 2000.0, spin_off);
  EXPECT_EQ(series.split[5], 1.9703);

  const SplitCorrection small[] = {{"A", day, 1.05}, {"B", day, 3.0}};
  series = after_calm_days(95.0, 1e9, small);
  EXPECT_EQ(series.split[5], 1.05) << "whatever the ratio and the volume";
  ASSERT_EQ(series.event.size(), 1U);
  EXPECT_TRUE(series.event[0].corrected);

  for (const double factor : {0.0, -2.0, kNan, HUGE_VAL}) {
    const SplitCorrection wrong[] = {{"A", day, factor}};
    EXPECT_THROW(after_calm_days(50.0, 2000.0, wrong), std::invalid_argument);
  }
}

TEST(Sessions, CorrectionsWithoutACloseCountAtTheNext) {
  DailyHistory history = history_of({100.0, 100.0, kNan, kNan, 10.0, 10.0});
  const std::vector<SplitCorrection> corrections{{"A", history.date[0], 3.0},  // relates the first to nothing
                                                 {"A", history.date[3], 5.0},
                                                 {"A", history.date[2], 7.0},
                                                 {"A", history.date[2], 2.0},               // instead of 7
                                                 {"A", history.date[5] + 86400 * 9, 4.0}};  // still to come
  const SessionSeries series = sessions_of(history, corrections);
  EXPECT_THAT(series.split, ElementsAre(1.0, 1.0, 10.0, 1.0));
  ASSERT_EQ(series.event.size(), 1U);
  EXPECT_EQ(series.event[0].session, 2U);
}

TEST(Sessions, ShortRatios) {
  DailyHistory history = history_of({10.0, 10.0, 10.0, 10.0, 10.0});
  history.short_volume = {30.0, 0.0, kNan, 5.0, 0.0};
  history.off_exchange_volume = {40.0, 0.0, 10.0, 10.0, 0.0};
  history.dix = {kNan, kNan, kNan, 0.45, 0.41};
  const SessionSeries series = sessions_of(history);
  EXPECT_THAT(series.short_ratio,
              ElementsAre(0.75, NanSensitiveDoubleEq(kNan), NanSensitiveDoubleEq(kNan), 0.45, 0.41));
  EXPECT_THAT(series.short_zero_volume, ElementsAre(0, 1, 0, 0, 0));
}

TEST(Sessions, LaterRowsChangeNothingEarlier) {
  const DailyHistory history = test::lively_history(200, 1, {60, 120, 180});
  const SessionSeries whole = sessions_of(history);
  EXPECT_EQ(whole.event.size(), 3U);
  for (const std::size_t t : {59U, 60U, 119U, 120U, 150U}) {
    DailyHistory known = history;
    known.row_count[0] = static_cast<std::int64_t>(t + 1);
    const SessionSeries series = sessions_of(known);
    ASSERT_EQ(series.sessions(), t + 1);
    for (std::size_t i = 0; i <= t; ++i) {
      EXPECT_EQ(series.close[i], whole.close[i]);
      EXPECT_EQ(series.split[i], whole.split[i]);
      EXPECT_EQ(series.short_ratio[i], whole.short_ratio[i]);
    }
  }
}

}  // namespace
}  // namespace greekgrid
