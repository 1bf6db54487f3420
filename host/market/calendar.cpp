#include "greekgrid/host/calendar.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

// Time zone and holidays are stated as rules instead of being read from a database: the results of a night must not
// depend on the tzdata of the machine, nor fail where it is not installed. The tests compare them with date::date-tz.

namespace greekgrid {
namespace {

using std::chrono::April;
using std::chrono::day;
using std::chrono::days;
using std::chrono::December;
using std::chrono::February;
using std::chrono::Friday;
using std::chrono::January;
using std::chrono::July;
using std::chrono::June;
using std::chrono::last;
using std::chrono::March;
using std::chrono::May;
using std::chrono::Monday;
using std::chrono::November;
using std::chrono::October;
using std::chrono::Saturday;
using std::chrono::September;
using std::chrono::Sunday;
using std::chrono::sys_days;
using std::chrono::Thursday;
using std::chrono::weekday;
using std::chrono::year;

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kStandardOffset = -5 * kHour;  // EST
constexpr std::int64_t kDaylightOffset = -4 * kHour;  // EDT

std::int64_t seconds_of(sys_days date) {
  return std::int64_t{date.time_since_epoch().count()} * kDay;
}

/// The two changes of a year, in seconds UTC: spring at 02:00 EST, autumn at 02:00 EDT.
struct DaylightSaving {
  Instant begin, end;
};

// Uniform Time Act of 1966 with its amendments: last Sunday of April to last Sunday of October until 1986, first Sunday
// of April from 1987 (Public Law 99-359), second Sunday of March to first Sunday of November from 2007 (Energy Policy
// Act of 2005). The emergency changes of 1974 and 1975 lie before the calendar's years.
DaylightSaving daylight_saving(year y) {
  sys_days begin, end;
  if (y >= year{2007}) {
    begin = sys_days{y / March / Sunday[2]};
    end = sys_days{y / November / Sunday[1]};
  } else {
    begin = y >= year{1987} ? sys_days{y / April / Sunday[1]} : sys_days{y / April / Sunday[last]};
    end = sys_days{y / October / Sunday[last]};
  }
  return {seconds_of(begin) + 2 * kHour - kStandardOffset, seconds_of(end) + 2 * kHour - kDaylightOffset};
}

std::int64_t new_york_offset(Instant instant) {
  // Neither change is within hours of a new year, so standard time tells the year.
  const std::chrono::sys_seconds standard{std::chrono::seconds{instant + kStandardOffset}};
  const year y = Date{std::chrono::floor<days>(standard)}.year();
  const DaylightSaving saving = daylight_saving(y);
  return instant >= saving.begin && instant < saving.end ? kDaylightOffset : kStandardOffset;
}

// Gauss's algorithm in the anonymous Gregorian form (Meeus, "Astronomical Algorithms", chapter 8).
sys_days easter_sunday(int y) {
  const int a = y % 19, b = y / 100, c = y % 100, d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
  const int h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7;
  const int m = (a + 11 * h + 22 * l) / 451, n = h + l - 7 * m + 114;
  return sys_days{year{y} / (n / 31) / (n % 31 + 1)};
}

/// NYSE Rule 7.2: a holiday on a Sunday is observed on Monday, on a Saturday on the Friday before.
sys_days observed(sys_days holiday) {
  const weekday w{holiday};
  if (w == Sunday) return holiday + days{1};
  if (w == Saturday) return holiday - days{1};
  return holiday;
}

bool is_holiday(sys_days date) {
  const Date ymd{date};
  const year y = ymd.year();
  const auto is = [date](sys_days holiday) { return date == holiday; };
  switch (static_cast<unsigned>(ymd.month())) {
    case 1: {
      // A Saturday New Year's Day is not observed: Rule 7.2 keeps the exchange open at the end of an accounting period.
      const sys_days new_year{y / January / 1};
      if (is(new_year) || (weekday{new_year} == Sunday && is(new_year + days{1}))) return true;
      return y >= year{1998} && is(sys_days{y / January / Monday[3]});  // Martin Luther King Jr. Day, since 1998
    }
    case 2:
      return is(sys_days{y / February / Monday[3]});  // Washington's Birthday
    case 3:
    case 4:
      return is(easter_sunday(static_cast<int>(y)) - days{2});  // Good Friday
    case 5:
      return is(sys_days{y / May / Monday[last]});  // Memorial Day
    case 6:
      return y >= year{2022} && is(observed(sys_days{y / June / 19}));  // Juneteenth, since 2022
    case 7:
      return is(observed(sys_days{y / July / 4}));
    case 9:
      return is(sys_days{y / September / Monday[1]});  // Labor Day
    case 11:
      return is(sys_days{y / November / Thursday[4]});
    case 12:
      return is(observed(sys_days{y / December / 25}));
    default:
      return false;
  }
}

// NYSE, "Holidays and special closings": days of mourning, the attacks of 2001 and hurricane Sandy.
constexpr std::array kSpecialClosings{
    Date{year{1994} / April / 27},     Date{year{2001} / September / 11}, Date{year{2001} / September / 12},
    Date{year{2001} / September / 13}, Date{year{2001} / September / 14}, Date{year{2004} / June / 11},
    Date{year{2007} / January / 2},    Date{year{2012} / October / 29},   Date{year{2012} / October / 30},
    Date{year{2018} / December / 5},   Date{year{2025} / January / 9}};

// Scheduled early closings outside the rules below, all 13:00.
constexpr std::array kSpecialHalfDays{Date{year{1997} / December / 26}, Date{year{1999} / December / 31},
                                      Date{year{2003} / December / 26}};

/// Hour of the scheduled close of a session by the NYSE's rules: 16, 13 on half days, 14 on those before 1993.
/// Unscheduled interruptions (snow on 1994-02-11 and 1996-01-08, the circuit breaker of 1997-10-27, the systems failure
/// of 2005-06-01) and late openings did not move settlement and are not stated.
int closing_hour(sys_days date) {
  const Date ymd{date};
  const year y = ymd.year();
  const int early = y >= year{1993} ? 13 : 14;
  const weekday w{date};
  switch (static_cast<unsigned>(ymd.month())) {
    case 7: {
      if (y < year{1995}) return 16;
      const weekday independence{sys_days{y / July / 4}};
      // July 3 when it is a trading day before a weekday holiday. A Thursday holiday made Friday the half day until
      // 2012, Wednesday since 2013.
      if (ymd.day() == day{3} && w != Friday && w != Sunday && w != Saturday) {
        return independence == Thursday && y < year{2013} ? 16 : 13;
      }
      if (ymd.day() == day{5} && independence == Thursday && y < year{2013}) return 13;
      return 16;
    }
    case 11:
      // The day after Thanksgiving, an early closing since 1992.
      return y >= year{1992} && date == sys_days{y / November / Thursday[4]} + days{1} ? early : 16;
    case 12:
      // Christmas Eve; on a Friday it is the observed holiday itself.
      if (ymd.day() == day{24}) return early;
      break;
    default:
      break;
  }
  return std::find(kSpecialHalfDays.begin(), kSpecialHalfDays.end(), ymd) != kSpecialHalfDays.end() ? 13 : 16;
}

}  // namespace

Instant new_york_instant(Date date, int hour, int minute, int second) {
  const std::int64_t wall = seconds_of(sys_days{date}) + hour * kHour + minute * std::int64_t{60} + second;
  const DaylightSaving saving = daylight_saving(date.year());
  const Instant standard = wall - kStandardOffset;
  const Instant daylight = wall - kDaylightOffset;
  if (daylight >= saving.begin && daylight < saving.end) return daylight;
  // The skipped hour: read as standard time it lies after the change, read as daylight time before it.
  if (standard >= saving.begin && daylight < saving.begin) return saving.begin;
  return standard;
}

Date new_york_date(Instant instant) {
  const std::chrono::sys_seconds wall{std::chrono::seconds{instant + new_york_offset(instant)}};
  return Date{std::chrono::floor<days>(wall)};
}

int new_york_second_of_day(Instant instant) {
  const std::int64_t wall = instant + new_york_offset(instant);
  return static_cast<int>(((wall % kDay) + kDay) % kDay);
}

Calendar::Calendar() = default;

void Calendar::set_day(Date date, DayKind kind) {
  override_[sys_days{date}] = kind;
}

bool Calendar::is_session(Date date) const {
  if (!date.ok()) return false;
  const sys_days sys{date};
  if (const auto it = override_.find(sys); it != override_.end()) return it->second != DayKind::kClosed;
  const weekday w{sys};
  if (w == Saturday || w == Sunday || is_holiday(sys)) return false;
  return std::find(kSpecialClosings.begin(), kSpecialClosings.end(), date) == kSpecialClosings.end();
}

bool Calendar::is_half_day(Date date) const {
  if (!is_session(date)) return false;
  if (const auto it = override_.find(sys_days{date}); it != override_.end()) return it->second == DayKind::kHalf;
  return closing_hour(sys_days{date}) < 16;
}

std::optional<Session> Calendar::session(Date date) const {
  if (!is_session(date)) return std::nullopt;
  int hour = closing_hour(sys_days{date});
  if (const auto it = override_.find(sys_days{date}); it != override_.end()) {
    hour = it->second == DayKind::kHalf ? 13 : 16;
  }
  return Session{date, new_york_instant(date, 9, 30), new_york_instant(date, hour, 0)};
}

Session Calendar::session_on_or_before(Date date) const {
  for (sys_days day = sys_days{date};; day -= days{1}) {
    if (const std::optional<Session> found = session(Date{day})) return *found;
  }
}

Session Calendar::session_begun_by(Instant instant) const {
  const Session session = session_on_or_before(new_york_date(instant));
  if (session.open <= instant) return session;
  return session_on_or_before(Date(std::chrono::sys_days(session.date) - std::chrono::days(1)));
}

Session Calendar::session_on_or_after(Date date) const {
  for (sys_days day = sys_days{date};; day += days{1}) {
    if (const std::optional<Session> found = session(Date{day})) return *found;
  }
}

Session Calendar::next_session(Date date) const {
  return session_on_or_after(Date{sys_days{date} + days{1}});
}

std::vector<Instant> Calendar::closes_after(Instant instant, int n) const {
  std::vector<Instant> closes;
  if (n <= 0) return closes;
  closes.reserve(static_cast<std::size_t>(n));
  Session next = session_on_or_after(new_york_date(instant));
  if (next.close <= instant) next = next_session(next.date);
  while (static_cast<int>(closes.size()) < n) {
    closes.push_back(next.close);
    next = next_session(next.date);
  }
  return closes;
}

std::vector<Instant> Calendar::intraday_after(Instant instant, int step) const {
  if (step <= 0) throw std::invalid_argument("step must be positive (an intraday axis needs a direction)");
  Session session = session_on_or_after(new_york_date(instant));
  if (session.close <= instant) session = next_session(session.date);
  std::vector<Instant> instants;
  for (Instant t = instant >= session.open ? instant + step : session.open; t < session.close; t += step) {
    instants.push_back(t);
  }
  instants.push_back(session.close);
  return instants;
}

Instant Calendar::quote_time(Instant stamp) const {
  const Session session = session_on_or_before(new_york_date(stamp));
  if (stamp > session.close) return session.close;
  if (stamp >= session.open) return stamp;
  return session_on_or_before(Date{sys_days{session.date} - days{1}}).close;
}

Instant Calendar::settlement(Date expiration, SettlementStyle style) const {
  const Session session = session_on_or_before(expiration);
  return style == SettlementStyle::kAm ? session.open : session.close;
}

RootRule root_rule(std::string_view root) {
  struct Row {
    std::string_view root;
    RootRule rule;
  };
  constexpr RootRule am{SettlementStyle::kAm, Exercise::kEuropean};
  constexpr RootRule pm{SettlementStyle::kPm, Exercise::kEuropean};
  // Contract specifications of the listing exchanges. Cboe: SPX, SPXW, XSP, RUT, RUTW, MRUT, DJX, VIX, VIXW, RLG, RLV,
  // RUI, OEX and XEO, MSCI, CBTX and MBTX. Nasdaq: NDX, NDXP, NQX, XND, VOLQ. MIAX: SPIKE. OEX (PM, American) is the
  // default.
  static constexpr std::array rows{
      Row{"CBTX", pm}, Row{"DJX", am},  Row{"MBTX", pm},  Row{"MNX", am},   Row{"MRUT", pm},  Row{"MXACW", pm},
      Row{"MXEA", pm}, Row{"MXEF", pm}, Row{"MXUSA", pm}, Row{"MXWLD", pm}, Row{"NANOS", pm}, Row{"NDX", am},
      Row{"NDXP", pm}, Row{"NQX", pm},  Row{"RLG", am},   Row{"RLV", am},   Row{"RUI", am},   Row{"RUT", am},
      Row{"RUTW", pm}, Row{"RVX", am},  Row{"SPIKE", am}, Row{"SPX", am},   Row{"SPXPM", pm}, Row{"SPXW", pm},
      Row{"VIX", am},  Row{"VIXW", am}, Row{"VOLQ", am},  Row{"XEO", pm},   Row{"XND", pm},   Row{"XSP", pm},
      Row{"XSPAM", am}};
  const auto* const found = std::lower_bound(rows.begin(), rows.end(), root,
                                             [](const Row& row, std::string_view name) { return row.root < name; });
  return found != rows.end() && found->root == root ? found->rule : RootRule{};
}

}  // namespace greekgrid
