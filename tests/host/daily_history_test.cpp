#include "greekgrid/host/daily_history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace greekgrid {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Instant midnight(int year, unsigned month, unsigned day) {
  const Date date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
  return Instant{std::chrono::sys_days{date}.time_since_epoch().count()} * 86400;
}

struct Day {
  Instant date;
  double close, volume;
};

/// Appends a symbol with closes and volumes.
void add(DailyHistory& history, const std::string& symbol, const std::vector<Day>& days) {
  history.symbol.push_back(symbol);
  history.row_begin.push_back(static_cast<std::int64_t>(history.rows()));
  history.row_count.push_back(static_cast<std::int64_t>(days.size()));
  for (const Day& day : days) {
    history.date.push_back(day.date);
    for (const DailyQuantity& quantity : kDailyQuantities) (history.*quantity.column).push_back(kNan);
    history.close.back() = day.close;
    history.volume.back() = day.volume;
  }
}

const Instant kMonday = midnight(2026, 8, 17), kTuesday = midnight(2026, 8, 18), kWednesday = midnight(2026, 8, 19);

TEST(DailyHistory, MergesInTheOrderGiven) {
  DailyHistory a, b;
  add(a, "A", {{kMonday, 10.0, kNan}, {kWednesday, 12.0, 5.0}});
  add(a, "C", {{kMonday, 1.0, 1.0}});
  a.source = {{"a", "1"}};
  add(b, "A", {{kMonday, 10.0 * (1.0 + 1e-8), 7.0}, {kTuesday, 11.0, 6.0}, {kWednesday, 12.5, 5.0}});
  add(b, "B", {{kTuesday, 2.0, 2.0}});
  b.source = {{"b", "2"}, {"a", "1"}};
  const DailyHistory* parts[] = {&a, &b};
  const DailyMerge merge = merge_histories(parts, false);
  EXPECT_THAT(merge.history.symbol, ElementsAre("A", "B", "C"));
  EXPECT_THAT(merge.history.row_begin, ElementsAre(0, 3, 4));
  EXPECT_THAT(merge.history.row_count, ElementsAre(3, 1, 1));
  EXPECT_THAT(merge.history.date, ElementsAre(kMonday, kTuesday, kWednesday, kTuesday, kMonday));
  EXPECT_THAT(merge.history.close, ElementsAre(10.0, 11.0, 12.0, 2.0, 1.0));
  EXPECT_THAT(merge.history.volume, ElementsAre(7.0, 6.0, 5.0, 2.0, 1.0));
  EXPECT_EQ(merge.history.source.size(), 2U);
  EXPECT_THAT(merge.repeated, ElementsAre(0, 2)) << "a close to single precision and a volume";
  ASSERT_EQ(merge.contradiction.size(), 1U);
  EXPECT_EQ(merge.contradiction[0].part, 1U);
  EXPECT_EQ(merge.contradiction[0].row, 2U);
  EXPECT_EQ(kDailyQuantities[merge.contradiction[0].quantity].name, "close");
  EXPECT_EQ(merge.contradiction[0].earlier, 12.0);
  EXPECT_EQ(merge.contradiction[0].later, 12.5);
  EXPECT_EQ(merge_histories(parts, true).history.close[2], 12.5);
}

TEST(DailyHistory, VolumesAreComparedExactly) {
  EXPECT_TRUE(same_daily_value(kDailyQuantities[3], 1361.219971, 1361.2199707));
  EXPECT_FALSE(same_daily_value(kDailyQuantities[3], 2368.38, 2368.39));
  EXPECT_FALSE(same_daily_value(kDailyQuantities[4], 1e9, 1e9 + 1));
  EXPECT_TRUE(same_daily_value(kDailyQuantities[4], 1e9, 1e9));
}

TEST(DailyHistory, FindsGapsJumpsAndStaleRows) {
  DailyHistory history;
  const Instant friday = midnight(2026, 8, 14);
  add(history, "GAP", {{friday, 10.0, 1.0}, {kTuesday, 10.0, 2.0}});           // the weekend is none, Monday is one
  add(history, "SPLIT", {{kMonday, 1208.88, 1.0}, {kTuesday, 121.79, 10.0}});  // ten for one
  add(history, "STALE", {{kMonday, 10.0, 7.0}, {kTuesday, 10.0, 7.0}, {kWednesday, 10.0, 8.0}});
  add(history, "NEAR", {{kMonday, 10.0, 0.0}, {kTuesday, 10.0 * std::exp(0.399), 0.0}});
  const DailyCheck check = check_history(history, Calendar());
  EXPECT_EQ(check.missing_sessions, 1);
  EXPECT_EQ(check.symbols_with_gaps, 1);
  EXPECT_EQ(check.stale_rows, 1);
  ASSERT_EQ(check.jump.size(), 1U);
  EXPECT_EQ(check.jump[0].symbol, 1U);
  EXPECT_EQ(check.jump[0].date, kTuesday);
  EXPECT_EQ(check_history(DailyHistory(), Calendar()).missing_sessions, 0);
}

TEST(DailyHistory, RanksByDollarVolumeOfTheLastSessions) {
  const Calendar calendar;
  std::vector<Day> days;
  Session session =
      calendar.session_on_or_before(Date{std::chrono::year{2026}, std::chrono::month{8}, std::chrono::day{19}});
  for (int i = 0; i < 80; ++i) {
    days.insert(days.begin(),
                {Instant{std::chrono::sys_days{session.date}.time_since_epoch().count()} * 86400, 2.0, 10.0});
    session = calendar.session_on_or_before(Date{std::chrono::sys_days{session.date} - std::chrono::days{1}});
  }
  const auto changed = [&](std::size_t begin, std::size_t end, double close) {
    std::vector<Day> out = days;
    for (std::size_t i = begin; i < end; ++i) out[i].close = close;
    return out;
  };
  DailyHistory history;
  add(history, "EQUAL", days);
  add(history, "ALSO", days);
  add(history, "BIG", changed(20, 80, 3.0));
  add(history, "LONG_AGO", changed(0, 20, 1e9));  // beyond the window
  add(history, "FEW", std::vector<Day>(days.end() - 19, days.end()));
  add(history, "ENOUGH", std::vector<Day>(days.end() - 20, days.end()));
  std::vector<Day> blank = days;
  for (std::size_t i = 0; i < 79; ++i) blank[i].volume = kNan;
  add(history, "BLANK", blank);
  const Date date{std::chrono::year{2026}, std::chrono::month{8}, std::chrono::day{19}};
  // Ties follow the order of the symbols, which a real history sorts.
  EXPECT_THAT(rank_by_dollar_volume(history, calendar, date),
              ElementsAre("BIG", "EQUAL", "ALSO", "LONG_AGO", "ENOUGH"));
  // A day earlier everybody loses the last day, and who had just enough is out.
  const Date before{std::chrono::year{2026}, std::chrono::month{8}, std::chrono::day{18}};
  EXPECT_THAT(rank_by_dollar_volume(history, calendar, before), ElementsAre("LONG_AGO", "BIG", "EQUAL", "ALSO"));
  const Date long_before{std::chrono::year{2020}, std::chrono::month{8}, std::chrono::day{18}};
  EXPECT_THAT(rank_by_dollar_volume(history, calendar, long_before), IsEmpty());
}

}  // namespace
}  // namespace greekgrid
