#pragma once

/// @file
/// What commands print: standard output that cannot fail unseen, tables, and instants as text.

#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/snapshot.hpp"

namespace greekgrid::cli {

/// Writes to standard output. @throws OutputError if it does not take all of it.
void print(std::string_view text);
/// A text with its control characters replaced, line ends left out of that where `lines`: a name or a file may hold
/// codes that a terminal obeys.
std::string plain(std::string_view text, bool lines = false);
/// Flushes standard output. @throws OutputError
void flush_output();

/// Columns of text, the first row as heading, numbers right-aligned.
std::string format_table(const std::vector<std::vector<std::string>>& rows, std::size_t left_aligned_columns);
/// CSV with RFC 4180 quoting.
std::string format_csv(const std::vector<std::vector<std::string>>& rows);

/// 2026-07-10T20:00:00Z
std::string utc_text(Instant instant);
/// The instant of an ISO 8601 time with zone, such as 2026-07-10T16:00:00-04:00 or ...Z, given by an option.
/// @throws UsageError
Instant parse_instant(const std::string& text, const std::string& option = "--quote-time");

/// The date of a text YYYY-MM-DD given by an option. @throws UsageError
Date parse_date(const std::string& text, const std::string& option);

/// 1.23 GB and the like, powers of 1000.
std::string bytes_text(double bytes);

}  // namespace greekgrid::cli
