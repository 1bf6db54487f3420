#include "greekgrid/host/calendar.hpp"

#include <date/tz.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <string>

#include "greekgrid_test/test_data.hpp"

namespace greekgrid {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

Date ymd(int y, unsigned m, unsigned d) {
  return Date{std::chrono::year{y}, std::chrono::month{m}, std::chrono::day{d}};
}
Instant utc(int y, unsigned m, unsigned d, int hour, int minute, int second = 0) {
  return std::int64_t{sys_days{ymd(y, m, d)}.time_since_epoch().count()} * 86400 + hour * 3600 + minute * 60 + second;
}
std::string text(Date date) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return buffer;
}

TEST(NewYorkTime, DaylightSavingChanges) {
  EXPECT_EQ(new_york_instant(ymd(2024, 3, 8), 16, 0), utc(2024, 3, 8, 21, 0));
  EXPECT_EQ(new_york_instant(ymd(2024, 3, 11), 16, 0), utc(2024, 3, 11, 20, 0));
  EXPECT_EQ(new_york_instant(ymd(2024, 3, 10), 1, 59, 59), utc(2024, 3, 10, 6, 59, 59));
  EXPECT_EQ(new_york_instant(ymd(2024, 3, 10), 2, 0), utc(2024, 3, 10, 7, 0));
  EXPECT_EQ(new_york_instant(ymd(2024, 3, 10), 2, 45), utc(2024, 3, 10, 7, 0));  // skipped: the instant of the change
  EXPECT_EQ(new_york_instant(ymd(2024, 3, 10), 3, 0), utc(2024, 3, 10, 7, 0));
  EXPECT_EQ(new_york_instant(ymd(2024, 11, 3), 1, 30), utc(2024, 11, 3, 5, 30));  // repeated: the earlier one
  EXPECT_EQ(new_york_instant(ymd(2024, 11, 3), 2, 0), utc(2024, 11, 3, 7, 0));
  EXPECT_EQ(new_york_instant(ymd(2006, 4, 3), 9, 30), utc(2006, 4, 3, 13, 30));
  EXPECT_EQ(new_york_instant(ymd(2006, 3, 20), 9, 30), utc(2006, 3, 20, 14, 30));
  EXPECT_EQ(new_york_second_of_day(utc(2024, 11, 3, 5, 30)), 5400);
  EXPECT_EQ(new_york_second_of_day(utc(2024, 11, 3, 6, 30)), 5400);
  EXPECT_EQ(new_york_date(utc(2024, 1, 1, 4, 59)), ymd(2023, 12, 31));
  EXPECT_EQ(new_york_date(-1), ymd(1969, 12, 31));
}

TEST(NewYorkTime, EveryQuarterHourAgreesWithTheTimeZoneDatabase) {
  const date::time_zone* zone = nullptr;
  try {
    zone = date::locate_zone("America/New_York");
  } catch (const std::exception& error) {
    GTEST_SKIP() << "no time zone database: " << error.what();
  }
  std::int64_t checked = 0;
  for (Instant t = utc(1990, 1, 1, 0, 0); t < utc(2036, 1, 1, 0, 0); t += 86400) {
    const auto info = zone->get_info(date::sys_seconds{std::chrono::seconds{t}});
    const bool change = info.end.time_since_epoch().count() - t < 86400 * 2;
    for (Instant q = t; q < t + 86400; q += change ? 900 : 43200) {
      const auto local = zone->to_local(date::sys_seconds{std::chrono::seconds{q}});
      const std::int64_t wall = local.time_since_epoch().count();
      ASSERT_EQ(new_york_second_of_day(q), wall % 86400) << q;
      ASSERT_EQ(sys_days{new_york_date(q)}.time_since_epoch().count(), wall / 86400) << q;
      // Back from the wall clock: where the library is in doubt it takes the earlier instant when asked to.
      const Date date = new_york_date(q);
      const auto earliest = zone->to_sys(local, date::choose::earliest).time_since_epoch().count();
      ASSERT_EQ(new_york_instant(date, static_cast<int>(wall % 86400 / 3600), static_cast<int>(wall % 3600 / 60)),
                earliest)
          << q;
      ++checked;
    }
  }
  EXPECT_GT(checked, 40000);
}

TEST(Calendar, Holidays) {
  const Calendar calendar;
  for (const Date closed :
       {ymd(2022, 6, 20),  ymd(2023, 4, 7),   ymd(2024, 3, 29),  ymd(2021, 7, 5),   ymd(2020, 7, 3),
        ymd(2021, 12, 24), ymd(2022, 12, 26), ymd(2023, 1, 2),   ymd(1998, 1, 19),  ymd(2024, 6, 19),
        ymd(2027, 6, 18),  ymd(2023, 11, 23), ymd(2001, 9, 11),  ymd(2001, 9, 14),  ymd(1994, 4, 27),
        ymd(2004, 6, 11),  ymd(2007, 1, 2),   ymd(2012, 10, 29), ymd(2012, 10, 30), ymd(2018, 12, 5),
        ymd(2025, 1, 9),   ymd(2024, 5, 27),  ymd(2024, 9, 2),   ymd(2024, 2, 19),  ymd(2024, 7, 6)}) {
    EXPECT_FALSE(calendar.is_session(closed)) << text(closed);
    EXPECT_FALSE(calendar.session(closed).has_value()) << text(closed);
  }
  for (const Date open : {ymd(2021, 12, 31), ymd(2010, 12, 31), ymd(2021, 6, 18), ymd(1997, 1, 20), ymd(2001, 9, 17),
                          ymd(2001, 9, 10), ymd(2021, 10, 11), ymd(2021, 11, 11), ymd(2027, 12, 31)}) {
    EXPECT_TRUE(calendar.is_session(open)) << text(open);
  }
  EXPECT_FALSE(calendar.is_session(ymd(2023, 2, 30)));
}

TEST(Calendar, HalfDaysCloseAtOne) {
  const Calendar calendar;
  for (const Date half :
       {ymd(2023, 7, 3), ymd(2023, 11, 24), ymd(2024, 12, 24), ymd(2024, 7, 3), ymd(2013, 7, 3), ymd(2002, 7, 5),
        ymd(2014, 7, 3), ymd(2018, 7, 3), ymd(1997, 12, 26), ymd(1999, 12, 31), ymd(2003, 12, 26), ymd(1995, 7, 3)}) {
    EXPECT_TRUE(calendar.is_half_day(half)) << text(half);
    EXPECT_EQ(calendar.session(half)->close, new_york_instant(half, 13, 0)) << text(half);
    EXPECT_EQ(calendar.session(half)->open, new_york_instant(half, 9, 30)) << text(half);
  }
  for (const Date full :
       {ymd(2022, 7, 1), ymd(2022, 7, 5), ymd(2019, 7, 5), ymd(2002, 7, 3), ymd(2020, 7, 2), ymd(2022, 12, 23),
        ymd(2021, 12, 23), ymd(2021, 12, 31), ymd(1991, 11, 29), ymd(2021, 7, 2)}) {
    EXPECT_TRUE(calendar.is_session(full)) << text(full);
    EXPECT_FALSE(calendar.is_half_day(full)) << text(full);
    EXPECT_EQ(calendar.session(full)->close, new_york_instant(full, 16, 0)) << text(full);
  }
  // Early closings were at two o'clock before 1993.
  EXPECT_EQ(calendar.session(ymd(1992, 11, 27))->close, new_york_instant(ymd(1992, 11, 27), 14, 0));
  EXPECT_EQ(calendar.session(ymd(1990, 12, 24))->close, new_york_instant(ymd(1990, 12, 24), 14, 0));
}

TEST(Calendar, OverridesWin) {
  Calendar calendar;
  calendar.set_day(ymd(2026, 7, 9), Calendar::DayKind::kClosed);
  calendar.set_day(ymd(2026, 7, 10), Calendar::DayKind::kHalf);
  calendar.set_day(ymd(2026, 7, 11), Calendar::DayKind::kFull);
  calendar.set_day(ymd(2023, 7, 3), Calendar::DayKind::kFull);
  EXPECT_FALSE(calendar.is_session(ymd(2026, 7, 9)));
  EXPECT_EQ(calendar.session_on_or_before(ymd(2026, 7, 9)).date, ymd(2026, 7, 8));
  EXPECT_EQ(calendar.session(ymd(2026, 7, 10))->close, new_york_instant(ymd(2026, 7, 10), 13, 0));
  EXPECT_TRUE(calendar.is_session(ymd(2026, 7, 11)));
  EXPECT_FALSE(calendar.is_half_day(ymd(2023, 7, 3)));
  EXPECT_EQ(calendar.session(ymd(2023, 7, 3))->close, new_york_instant(ymd(2023, 7, 3), 16, 0));
}

TEST(Calendar, Settlement) {
  const Calendar calendar;
  const auto pm = SettlementStyle::kPm;
  const auto am = SettlementStyle::kAm;
  EXPECT_EQ(calendar.settlement(ymd(2023, 9, 15), pm), utc(2023, 9, 15, 20, 0));
  EXPECT_EQ(calendar.settlement(ymd(2023, 9, 15), am), utc(2023, 9, 15, 13, 30));
  EXPECT_EQ(calendar.settlement(ymd(2023, 11, 24), pm), utc(2023, 11, 24, 18, 0));
  EXPECT_EQ(calendar.settlement(ymd(2014, 1, 18), pm), utc(2014, 1, 17, 21, 0));  // Saturday expiration
  EXPECT_EQ(calendar.settlement(ymd(2014, 1, 18), am), utc(2014, 1, 17, 14, 30));
  EXPECT_EQ(calendar.settlement(ymd(2025, 1, 9), pm), utc(2025, 1, 8, 21, 0));
  EXPECT_EQ(calendar.settlement(ymd(2025, 1, 9), am), utc(2025, 1, 8, 14, 30));
  EXPECT_EQ(calendar.settlement(ymd(2023, 9, 15), SettlementStyle::kUnknown), utc(2023, 9, 15, 20, 0));
}

TEST(Calendar, QuoteTime) {
  const Calendar calendar;
  // Sunday stamp: Friday's close. Before the open: the close of the session before. Inside: the stamp itself.
  EXPECT_EQ(calendar.quote_time(new_york_instant(ymd(2024, 1, 7), 10, 52)), new_york_instant(ymd(2024, 1, 5), 16, 0));
  EXPECT_EQ(calendar.quote_time(new_york_instant(ymd(2025, 9, 3), 9, 24)), new_york_instant(ymd(2025, 9, 2), 16, 0));
  EXPECT_EQ(calendar.quote_time(new_york_instant(ymd(2025, 9, 2), 9, 24)), new_york_instant(ymd(2025, 8, 29), 16, 0));
  const Instant inside = new_york_instant(ymd(2022, 3, 23), 10, 11);
  EXPECT_EQ(calendar.quote_time(inside), inside);
  const Instant open = new_york_instant(ymd(2022, 3, 23), 9, 30);
  const Instant close = new_york_instant(ymd(2022, 3, 23), 16, 0);
  EXPECT_EQ(calendar.quote_time(open), open);
  EXPECT_EQ(calendar.quote_time(close), close);
  EXPECT_EQ(calendar.quote_time(close + 1), close);
  EXPECT_EQ(calendar.quote_time(open - 1), new_york_instant(ymd(2022, 3, 22), 16, 0));
  EXPECT_EQ(calendar.quote_time(new_york_instant(ymd(2023, 11, 24), 14, 0)),
            new_york_instant(ymd(2023, 11, 24), 13, 0));
  EXPECT_EQ(calendar.quote_time(new_york_instant(ymd(2023, 11, 23), 12, 0)),
            new_york_instant(ymd(2023, 11, 22), 16, 0));
}

TEST(Calendar, ClosesAfter) {
  const Calendar calendar;
  const Instant friday = new_york_instant(ymd(2024, 1, 5), 16, 0);
  const std::vector<Instant> closes = calendar.closes_after(friday, 7);
  ASSERT_EQ(closes.size(), 7u);
  EXPECT_EQ(closes[0] - friday, 3 * 86400);                         // Friday to Monday is three calendar days
  EXPECT_EQ(closes[5], new_york_instant(ymd(2024, 1, 16), 16, 0));  // over Martin Luther King Jr. Day
  EXPECT_EQ(calendar.closes_after(friday - 1, 1), std::vector<Instant>{friday});
  EXPECT_EQ(calendar.closes_after(new_york_instant(ymd(2024, 7, 3), 3, 0), 1),
            std::vector<Instant>{new_york_instant(ymd(2024, 7, 3), 13, 0)});
  EXPECT_TRUE(calendar.closes_after(friday, 0).empty());
  EXPECT_EQ(calendar.next_session(ymd(2024, 3, 28)).date, ymd(2024, 4, 1));
}

TEST(Calendar, IntradayAfter) {
  const Calendar calendar;
  const Instant noon = new_york_instant(ymd(2024, 1, 5), 12, 0);
  const std::vector<Instant> inside = calendar.intraday_after(noon, 300);
  ASSERT_EQ(inside.size(), 48u);
  EXPECT_EQ(inside.front(), noon + 300);
  EXPECT_EQ(inside.back(), noon + 4 * 3600);
  const std::vector<Instant> next = calendar.intraday_after(noon + 4 * 3600, 300);
  ASSERT_EQ(next.size(), 79u);  // the open and 78 steps
  EXPECT_EQ(next.front(), new_york_instant(ymd(2024, 1, 8), 9, 30));
  EXPECT_EQ(next.back(), new_york_instant(ymd(2024, 1, 8), 16, 0));
  // A step that does not divide the session ends at the close nevertheless.
  const std::vector<Instant> odd = calendar.intraday_after(noon, 7000);
  EXPECT_EQ(odd, (std::vector<Instant>{noon + 7000, noon + 14000, noon + 14400}));
  EXPECT_THROW(calendar.intraday_after(noon, 0), std::invalid_argument);
}

TEST(RootRule, Conventions) {
  for (const char* root : {"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW"}) {
    EXPECT_EQ(root_rule(root).style, SettlementStyle::kAm) << root;
    EXPECT_EQ(root_rule(root).exercise, Exercise::kEuropean) << root;
  }
  for (const char* root : {"SPXW", "NDXP", "RUTW", "XSP", "MRUT", "XEO", "XND", "NQX", "MXEA", "MXEF"}) {
    EXPECT_EQ(root_rule(root).style, SettlementStyle::kPm) << root;
    EXPECT_EQ(root_rule(root).exercise, Exercise::kEuropean) << root;
  }
  for (const char* root : {"SPY", "AAPL", "OEX", "QQQ", "", "SP", "SPXX", "ZZZZ"}) {
    EXPECT_EQ(root_rule(root).style, SettlementStyle::kPm) << root;
    EXPECT_EQ(root_rule(root).exercise, Exercise::kAmerican) << root;
  }
}

void expect_sessions_of(const std::filesystem::path& path, int first_year) {
  std::ifstream in(path);
  std::set<Date> listed;
  std::string line;
  while (std::getline(in, line)) {
    int y = 0;
    unsigned m = 0, d = 0;
    if (std::sscanf(line.c_str(), "%d-%u-%u", &y, &m, &d) == 3 && y >= first_year) listed.insert(ymd(y, m, d));
  }
  ASSERT_GT(listed.size(), 3000u);
  const Calendar calendar;
  for (sys_days day{*listed.begin()}; day <= sys_days{*listed.rbegin()}; day += days{1}) {
    const Date date{day};
    EXPECT_EQ(calendar.is_session(date), listed.contains(date)) << text(date);
  }
}

TEST(Calendar, SessionsOfTheIndexSince1990) {
  const std::filesystem::path path = test::data_dir() / "history" / "spx_daily_19900102_20260717.csv";
  GREEKGRID_REQUIRE_FILE(path);
  expect_sessions_of(path, 1990);
}

TEST(Calendar, SessionsOfTheDarkPoolIndex) {
  const std::filesystem::path path = test::data_dir() / "history" / "DIX_to_20241231.csv";
  GREEKGRID_REQUIRE_FILE(path);
  expect_sessions_of(path, 2011);
}

}  // namespace
}  // namespace greekgrid
