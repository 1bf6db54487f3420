#pragma once

/// @file
/// Profiles: what a vendor's table looks like, said in TOML, so that a new vendor needs no code. The formats that the
/// program knows by name are profiles too, in io/ingest/profiles.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text_scan.hpp"

namespace greekgrid::ingest_detail {

/// How a date or an instant is written.
enum class TimeForm : std::uint8_t {
  kIso,          ///< 2026-07-17
  kCompact,      ///< 20260717
  kMonthFirst,   ///< 7/17/2026
  kDayFirst,     ///< 17/7/2026
  kWords,        ///< Fri Jul 17 2026
  kIsoTime,      ///< 2026-07-17T16:00:00-04:00; without an offset the zone of the column
  kUnixSeconds,  ///< since 1970-01-01 00:00:00 UTC
  kUnixMillis,   ///< 1e-3 s
  kUnixNanos     ///< 1e-9 s
};
enum class Zone : std::uint8_t { kNone, kUtc, kNewYork };

/// What is known of one column.
struct ColumnRule {
  std::vector<std::string> name;  ///< lower case; the first that the header has is read
  double multiply = 1.0, divide = 1.0;
  bool whole_only = false;      ///< the scale is of whole numbers; a text with a decimal point is in our units already
  std::vector<double> missing;  ///< values that mean "none"
  std::vector<std::string> missing_text;  ///< texts that mean "none", exactly
  std::vector<TimeForm> form;
  Zone zone = Zone::kNone;
  std::string prefix;                                        ///< dropped from the front of the text, such as "O:"
  bool first_word = false;                                   ///< the text up to the first blank
  std::vector<std::string> accepted;                         ///< texts of rows to keep, lower case
  std::vector<std::pair<std::string, std::int8_t>> meaning;  ///< lower-case text -> flag

  /// Neither scale nor sentinel: the number is taken as it stands.
  bool plain() const { return multiply == 1.0 && divide == 1.0 && missing.empty() && missing_text.empty(); }
};

/// The number of a field, sentinels taken out, in our units.
Number read_number(std::string_view text, const ColumnRule& rule);
/// The day of a field: a date, or the New York day of an instant.
std::optional<DayNumber> read_day(std::string_view text, const ColumnRule& rule);
/// The instant of a field; a bare date is none.
std::optional<Instant> read_instant(std::string_view text, const ColumnRule& rule);
/// The value that a text stands for (compared without case), or `otherwise`.
std::int8_t meaning_of(std::string_view text, const ColumnRule& rule, std::int8_t otherwise);
/// True if the text is among rule.accepted (compared without case).
bool is_accepted(std::string_view text, const ColumnRule& rule);

/// Quantities of a contract, in the order of the arrays below.
enum QuantityIndex : std::uint8_t {
  kBidColumn,
  kAskColumn,
  kLastColumn,
  kVolumeColumn,
  kOpenInterestColumn,
  kIvColumn,
  kDeltaColumn,
  kGammaColumn,
  kQuantityColumns
};

/// The columns that differ between the two halves of a row; the only ones of a row per contract.
struct SideRule {
  ColumnRule symbol;
  std::array<ColumnRule, kQuantityColumns> quantity;
};

/// Where the underlying comes from when no column names it.
enum class UnderlyingFrom : std::uint8_t {
  kColumn,  ///< nowhere else: --underlying must name it
  kRoot,    ///< the root of the row: SPXW is of SPX
  kFile     ///< the root of most rows, for the whole file
};

/// Which instant the quotes are of.
enum class QuoteRule : std::uint8_t {
  kNone,              ///< --quote-time must say
  kCloseBeforeStamp,  ///< the last session close not after the newest stamp
  kStamp,             ///< the newest stamp if it is inside a session, otherwise the close before
  kSessionClose       ///< the close of the row's session, less close_offset
};
/// Which rows are stale against the newest stamp.
enum class StaleRule : std::uint8_t { kNever, kSession, kAny };

struct Profile {
  std::string format;  ///< name for --format; several profiles may be layouts of one format
  std::string title;
  std::string where;                            ///< file, for messages
  std::vector<std::vector<std::string>> match;  ///< lower case; one of each is in the header
  std::vector<std::string> require;             ///< columns without which the file is refused, lower case
  char delimiter = ',';
  int skip_lines = 0;  ///< lines before the header
  bool pair = false;   ///< call and put side by side
  ColumnRule underlying, root, expiration, right, strike, session, stamp, spot, multiplier, exchange, deliverable,
      settlement, exercise;
  SideRule call;  ///< of a row per contract too
  SideRule put;   ///< of pairs only
  UnderlyingFrom underlying_from = UnderlyingFrom::kColumn;
  std::string fixed_underlying;  ///< empty: none
  QuoteRule quote = QuoteRule::kNone;
  StaleRule stale = StaleRule::kSession;
  Instant close_offset = 0;  ///< s before the close
  Instant delay = 0;         ///< s that the stamp is later than the quotes
};

/// Reads a profile. `where` is the file's name for messages.
/// @throws InputError for what is no TOML, an unknown key, a value of the wrong kind, or a profile that identifies no
/// contract.
Profile parse_profile(std::string_view text, std::string_view where);

/// The profiles that are built in, in the order of their names.
std::span<const Profile> built_in_profiles();

/// How many of a profile's match groups the header of a text has, and the first name of each group that it lacks.
struct HeaderMatch {
  std::size_t found = 0;
  std::vector<std::string> lacking;
};
HeaderMatch match_header(const Profile& profile, std::string_view text);

}  // namespace greekgrid::ingest_detail
