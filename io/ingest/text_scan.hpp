#pragma once

/// @file
/// Reading of delimited text: fields, numbers, dates and stamps. Views into the caller's buffer, no allocation per
/// field.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"

namespace greekgrid::ingest_detail {

/// Longest line accepted.
inline constexpr std::size_t kLineLimit = std::size_t{1} << 20;

/// Days since 1970-01-01.
using DayNumber = std::int32_t;

DayNumber day_number(Date date);
Date date_of(DayNumber day);

std::string_view trimmed(std::string_view text);
/// Lower-case ASCII copy.
std::string lower_case(std::string_view text);
/// Upper-case ASCII copy.
std::string upper_case(std::string_view text);
/// At most 80 bytes of an offending value, control characters replaced, for messages and diagnostics.
std::string shown(std::string_view text);

/// Splits one line (no line end in it) at the delimiter by RFC 4180. Views point into `line`, or into `unquoted` for
/// fields with doubled quotes. False if a quote is never closed or text follows a closing quote.
bool split_fields(std::string_view line, std::vector<std::string_view>& fields, std::string& unquoted,
                  char delimiter = ',');

/// Takes the next line off `rest`, without its LF or CRLF. False when nothing is left.
bool next_line(std::string_view& rest, std::string_view& line);

enum class NumberKind : std::uint8_t { kMissing, kNumber, kBad, kNonFinite };
/// A decimal number, surrounding blanks allowed; empty is missing (value NaN), never 0. A number that overflows is
/// non-finite; one that would silently become 0 is bad.
struct Number {
  NumberKind kind;
  double value;
};
Number parse_number(std::string_view text);

/// Strike in thousandths of USD. None unless the value is a multiple of 0.001 to within 1e-6 and below 1e9.
std::optional<std::int64_t> strike_thousandths(double strike);
/// Half a unit of the last decimal a vendor prints: by how much a printed strike may differ from the symbol's.
double strike_tolerance(std::string_view text);

/// Day of a year from 1970 to 2199, month and day; none for a day that does not exist.
std::optional<DayNumber> checked_date(int year, int month, int day);
/// A date as YYYY-MM-DD.
std::optional<DayNumber> parse_iso_date(std::string_view text);
/// A date in words ("Fri Nov 20 2026", "23 de marzo de 2022"), as MM/DD/YYYY or as YYYY-MM-DD.
std::optional<DayNumber> parse_date_in_words(std::string_view text);
/// ISO 8601 with zone, such as 2026-07-12T06:30:38.456007-04:00, floored to the second. `zone_seconds` is the offset
/// that a text without a zone has; none refuses it.
std::optional<Instant> parse_iso_instant(std::string_view text, std::optional<int> zone_seconds = std::nullopt);
/// Date, time and zone in words, English, Spanish, French, German, Italian or Portuguese, such as
/// "January 7, 2024 at 10:52 AM EST" or "23 de marzo de 2022, 10:11 GMT-4". None without a date, a time and a known
/// zone.
std::optional<Instant> parse_instant_in_words(std::string_view text);

}  // namespace greekgrid::ingest_detail
