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
  return midnight_of(Date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}});
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
    history.knowledge_time.push_back(day.date + 20 * 3600);
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
  EXPECT_THAT(merge.rows_taken, ElementsAre(3, 3)) << "two rows and a volume, not the close that it contradicts";
  EXPECT_THAT(merge.repeated, ElementsAre(0, 2)) << "a close to single precision and a volume";
  ASSERT_EQ(merge.contradiction.size(), 1U);
  EXPECT_EQ(merge.contradiction[0].part, 1U);
  EXPECT_EQ(merge.contradiction[0].row, 2U);
  EXPECT_EQ(kDailyQuantities[merge.contradiction[0].quantity].name, "close");
  EXPECT_EQ(merge.contradiction[0].earlier, 12.0);
  EXPECT_EQ(merge.contradiction[0].later, 12.5);
  EXPECT_EQ(merge_histories(parts, true).history.close[2], 12.5);
}

/// The instants of a merge whose parts, one row of one symbol each, are known one hour after the other.
std::vector<Instant> known_after(std::vector<Day> days, bool replace) {
  std::vector<DailyHistory> part(days.size());
  std::vector<const DailyHistory*> parts;
  for (std::size_t p = 0; p < days.size(); ++p) {
    add(part[p], "A", {days[p]});
    part[p].knowledge_time[0] += static_cast<Instant>(p) * 3600;
    parts.push_back(&part[p]);
  }
  const DailyMerge once = merge_histories(parts, replace);
  // The same in several calls.
  DailyHistory grown;
  for (const DailyHistory* next : parts) {
    const DailyHistory* two[] = {&grown, next};
    grown = merge_histories(two, replace).history;
  }
  EXPECT_EQ(once.history.knowledge_time, grown.knowledge_time);
  std::vector<Instant> hours;
  for (const Instant known : once.history.knowledge_time) hours.push_back((known - kMonday) / 3600 - 20);
  return hours;
}

TEST(DailyHistory, ARowIsKnownWithTheLastPartThatItTookAValueFrom) {
  const Day close{kMonday, 10.0, kNan}, volume{kMonday, kNan, 5.0}, other{kMonday, 11.0, kNan};
  EXPECT_THAT(known_after({close, volume}, false), ElementsAre(1)) << "filled";
  EXPECT_THAT(known_after({close, close, volume, volume}, false), ElementsAre(2)) << "what repeats adds nothing";
  EXPECT_THAT(known_after({close, other}, false), ElementsAre(0)) << "the earlier value stays, and so does its instant";
  EXPECT_THAT(known_after({close, other}, true), ElementsAre(1)) << "replaced";
  // Values of a part that was known before those that are there leave the later instant.
  DailyHistory late, early;
  add(late, "A", {close});
  add(early, "A", {volume});
  late.knowledge_time[0] += 7200;
  const DailyHistory* parts[] = {&late, &early};
  EXPECT_EQ(merge_histories(parts, false).history.knowledge_time[0], late.knowledge_time[0]);
}

TEST(DailyHistory, SourcesAreThoseThatAValueWasTakenFrom) {
  DailyHistory a, b;
  add(a, "A", {{kMonday, 10.0, kNan}});
  add(b, "A", {{kMonday, 11.0, kNan}});
  a.source = {{"a", "1"}};
  b.source = {{"b", "2"}};
  const DailyHistory* parts[] = {&a, &b};
  const DailyMerge kept = merge_histories(parts, false), replaced = merge_histories(parts, true);
  EXPECT_THAT(kept.rows_taken, ElementsAre(1, 0));
  EXPECT_EQ(kept.history.source.size(), 1U);
  EXPECT_EQ(kept.contradiction.size(), 1U);
  EXPECT_THAT(replaced.rows_taken, ElementsAre(1, 1));
  EXPECT_EQ(replaced.history.source.size(), 2U);
}

// Runs of rows that one part alone has are taken at once: the same as row by row, whatever comes between.
TEST(DailyHistory, MergesInterleavedDays) {
  std::vector<DailyHistory> part(3);
  std::vector<std::vector<Day>> days(part.size());
  for (int day = 0; day < 200; ++day) {
    bool any = false;
    for (std::size_t p = 0; p < part.size(); ++p) {
      // Long runs of each part, days that two or three share, and every part alone for some.
      if ((day / (7 + 6 * static_cast<int>(p)) + static_cast<int>(p)) % 2 != 0 && (any || p + 1 < part.size()))
        continue;
      days[p].push_back({kMonday + day * 86400, 100.0 * static_cast<double>(p + 1) + day, kNan});
      any = true;
    }
  }
  std::vector<const DailyHistory*> parts;
  for (std::size_t p = 0; p < part.size(); ++p) {
    add(part[p], "A", days[p]);
    add(part[p], "B" + std::to_string(p), days[p]);
    parts.push_back(&part[p]);
  }
  const DailyMerge merge = merge_histories(parts, false);
  EXPECT_THAT(merge.history.symbol, ElementsAre("A", "B0", "B1", "B2"));
  std::size_t row = 0, contradictions = 0;
  for (int day = 0; day < 200; ++day) {
    std::size_t speakers = 0;
    double first = kNan;
    for (const std::vector<Day>& own : days) {
      for (const Day& d : own) {
        if (d.date != kMonday + day * 86400) continue;
        if (speakers++ == 0) first = d.close;
      }
    }
    if (speakers == 0) continue;
    contradictions += speakers - 1;
    ASSERT_EQ(merge.history.date[row], kMonday + day * 86400);
    ASSERT_EQ(merge.history.knowledge_time[row], merge.history.date[row] + 20 * 3600);
    ASSERT_EQ(merge.history.close[row++], first) << day;
  }
  EXPECT_EQ(merge.history.row_count[0], static_cast<std::int64_t>(row));
  EXPECT_EQ(merge.contradiction.size(), contradictions);
  EXPECT_GT(contradictions, 50U);
  for (std::size_t p = 0; p < part.size(); ++p) {
    const auto begin = merge.history.close.begin() + merge.history.row_begin[p + 1];
    const std::vector<double> own(part[p].close.end() - part[p].row_count[1], part[p].close.end());
    EXPECT_EQ(std::vector<double>(begin, begin + merge.history.row_count[p + 1]), own);
  }
}

TEST(DailyHistory, AppendsOneRowOfOneSymbol) {
  DailyHistory history;
  const Date monday{std::chrono::year{2026}, std::chrono::month{8}, std::chrono::day{17}};
  append_symbol_row(history, "A", monday, kMonday + 5);
  history.close.back() = 3.0;
  append_symbol_row(history, "B", monday, kMonday + 6);
  EXPECT_THAT(history.symbol, ElementsAre("A", "B"));
  EXPECT_THAT(history.row_begin, ElementsAre(0, 1));
  EXPECT_THAT(history.row_count, ElementsAre(1, 1));
  EXPECT_THAT(history.date, ElementsAre(1786924800, 1786924800));
  EXPECT_THAT(history.knowledge_time, ElementsAre(kMonday + 5, kMonday + 6));
  for (const DailyQuantity& quantity : kDailyQuantities) {
    ASSERT_EQ((history.*quantity.column).size(), 2U) << quantity.name;
    EXPECT_EQ(std::isnan((history.*quantity.column)[0]), quantity.name != "close");
  }
}

// FINRA publishes by 18:00 in New York, in winter 23:00 UTC and in summer 22:00.
TEST(DailyHistory, KnowsFinraVolumesInTheEvening) {
  const auto day = [](unsigned month) {
    return Date{std::chrono::year{2026}, std::chrono::month{month}, std::chrono::day{17}};
  };
  EXPECT_EQ(finra_knowledge_time(day(2)), midnight(2026, 2, 17) + 23 * 3600);
  EXPECT_EQ(finra_knowledge_time(day(8)), midnight(2026, 8, 17) + 22 * 3600);
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
    days.insert(days.begin(), {midnight_of(session.date), 2.0, 10.0});
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
