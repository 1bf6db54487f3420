#pragma once

/// @file
/// Exchange sessions, time zones and settlement instants. Everything below this room sees int64 seconds UTC only.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace greekgrid {

using Date = std::chrono::year_month_day;
using Instant = std::int64_t;  ///< seconds since 1970-01-01 00:00:00 UTC

enum class SettlementStyle : std::int8_t { kUnknown = 0, kAm = 1, kPm = 2 };
enum class Exercise : std::int8_t { kEuropean = 0, kAmerican = 1 };

/// Instant of a New York wall-clock time. In the hour that DST repeats the earlier instant is meant; in the hour it
/// skips, the instant of the change.
Instant new_york_instant(Date date, int hour, int minute, int second = 0);
/// New York calendar date of an instant.
Date new_york_date(Instant instant);
/// Seconds after New York midnight of an instant, by the wall clock.
int new_york_second_of_day(Instant instant);

/// One trading session.
struct Session {
  Date date;
  Instant open = 0;   ///< 09:30 ET
  Instant close = 0;  ///< 16:00 ET, 13:00 on half days (14:00 before 1993)
};

/// NYSE sessions 1990-2035: holidays, special closings and half days; overridable day by day.
class Calendar {
 public:
  /// The built-in rules.
  Calendar();
  /// Declares a day closed, a half day (13:00) or a full session, over the built-in rules.
  enum class DayKind : std::uint8_t { kClosed, kHalf, kFull };
  void set_day(Date date, DayKind kind);

  bool is_session(Date date) const;
  bool is_half_day(Date date) const;
  /// The session of a date, if it is one.
  std::optional<Session> session(Date date) const;
  /// The last session with date <= the given one.
  Session session_on_or_before(Date date) const;
  /// The last session whose open is not after an instant: the one that quotes of the instant belong to.
  Session session_begun_by(Instant instant) const;
  /// The first session with date >= the given one.
  Session session_on_or_after(Date date) const;
  /// The session after the given date.
  Session next_session(Date date) const;
  /// The n first session closes strictly after an instant.
  std::vector<Instant> closes_after(Instant instant, int n) const;
  /// Instants every `step` seconds strictly after `instant` up to and including the close of the session that contains
  /// it (or of the next session, then starting at its open).
  std::vector<Instant> intraday_after(Instant instant, int step) const;
  /// quote_time rule: the stamp if it falls inside a session [open, close], otherwise the last close at or before it.
  Instant quote_time(Instant stamp) const;
  /// Settlement instant of an expiration date: PM the session close (13:00 on half days), AM 09:30; a date that is no
  /// session settles at the previous session (AM: its 09:30).
  Instant settlement(Date expiration, SettlementStyle style) const;

 private:
  std::map<std::chrono::sys_days, DayKind> override_;
};

/// What a root says about its contracts.
struct RootRule {
  SettlementStyle style = SettlementStyle::kPm;
  Exercise exercise = Exercise::kAmerican;
};
/// Conventions of an option root: SPX, NDX, RUT, ... monthlies and VIX AM European; SPXW, NDXP, RUTW, XSP, ... PM
/// European; everything else PM American.
RootRule root_rule(std::string_view root);

}  // namespace greekgrid
