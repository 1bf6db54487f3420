#pragma once

/// @file
/// Daily series in: FINRA short volume, DIX-style series, prices and volumes. Every row is kept or a Diagnostic.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/daily_history.hpp"
#include "greekgrid/host/diagnostic.hpp"
#include "greekgrid/io/error.hpp"

namespace greekgrid {

enum class HistoryFormat : std::uint8_t {
  kAuto,
  kFinra,     ///< FINRA Reg SHO daily short volume: Date|Symbol|ShortVolume[|ShortExemptVolume]|TotalVolume|Market
  kDix,       ///< date, price, dix, gex of the S&P 500
  kDailyCsv,  ///< date, symbol and any of open, high, low, close, volume, found by name
};
std::string_view name(HistoryFormat format);
/// The format of a command-line name (auto, finra, dix, daily-csv), or nothing.
std::optional<HistoryFormat> history_format_from_name(std::string_view name);

struct HistoryOptions {
  HistoryFormat format = HistoryFormat::kAuto;
  /// Of files without a column of symbols; empty: SPX for dix, else the letters that the base name begins with.
  std::string symbol;
};

/// One file, read. Rows of FINRA's and of DIX-style series, which are made of FINRA's, are known at
/// finra_knowledge_time(), all others with the close of their session.
struct HistorySource {
  std::string name;  ///< base name
  HistoryFormat format = HistoryFormat::kAuto;
  DailyHistory history;            ///< rows kept; its source is this file
  std::vector<std::int64_t> line;  ///< (N) of the file, by row of history
  std::int64_t rows_in = 0;        ///< data rows; = history.rows() + rejects.size()
  Diagnostics rejects;             ///< by line
};

/// Reads one file, plain or gzip. Refused rows: bad_quoting, column_count, bad_ticker, bad_date, not_a_session (of
/// `calendar`), bad_number, non_finite, negative (volumes), not_positive (prices), out_of_range (dix outside 0 .. 1),
/// high_below_low, short_above_total, no_value, duplicate_row (of symbol and date; the first stays) and, for every row
/// of a FINRA file whose last line does not count its records, record_count_mismatch.
/// @throws InputError for a file that cannot be used at all; a file whose every row is refused is none
HistorySource read_history_source(const std::filesystem::path& path, const Calendar& calendar,
                                  const HistoryOptions& options);

/// The same from memory; `name` appears in messages and, where the file has no symbols, names the symbol.
HistorySource parse_history_bytes(std::string_view bytes, std::string_view name, const Calendar& calendar,
                                  const HistoryOptions& options);

/// Instant from which on both the quotes and the open interest of a chain or a night were known: the later of the two,
/// or that of the quotes where the other is not told.
/// @param open_interest_knowledge_time ISO 8601 with zone, or empty
/// @param label what messages call the file
/// @throws InputError for a text that is no instant
Instant knowledge_time_of(Instant quote_time, const std::string& open_interest_knowledge_time,
                          const std::string& label);

}  // namespace greekgrid
