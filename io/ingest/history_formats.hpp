#pragma once

/// @file
/// Parsers of daily series, one file each, and what they share.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "greekgrid/io/history_ingest.hpp"
#include "source_text.hpp"
#include "text_scan.hpp"

namespace greekgrid::ingest_detail {

/// Lines of a source, read in pieces.
class LineReader {
 public:
  /// `head` is the text already read of `source`.
  LineReader(std::string head, SourceText& source) : buffer_(std::move(head)), source_(source) {}
  /// The next line without its end; false after the last. Valid until the next call.
  /// @throws InputError also for a line longer than kLineLimit
  bool next(std::string_view& line);
  /// Number of the line that next() gave, from 1.
  std::int64_t number() const { return number_; }

 private:
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t number_ = 0;
  SourceText& source_;
};

/// Values of one day, by kDailyQuantities; NaN is missing.
using DailyValues = std::array<double, kDailyQuantities.size()>;
inline constexpr std::size_t kOpen = 0, kHigh = 1, kLow = 2, kClose = 3, kVolume = 4, kShortVolume = 5,
                             kShortExemptVolume = 6, kOffExchangeVolume = 7, kDix = 8, kGex = 9;
DailyValues no_values();

/// Takes rows in file order, refuses what rules of every format refuse, and makes a HistorySource of the rest.
class DailyRows {
 public:
  DailyRows(const Calendar& calendar, HistoryFormat format) : calendar_(calendar) { out_.format = format; }

  /// One data row was met. Each is followed by exactly one add() or refuse().
  void count() { ++out_.rows_in; }
  void refuse(std::int64_t line, std::string_view field, std::string_view rule, std::string_view value,
              std::string_view symbol);
  /// Keeps a row unless a rule that holds for every format refuses it.
  void add(std::int64_t line, std::string_view symbol, DayNumber day, const DailyValues& values,
           std::string_view date_field, std::string_view date_text);
  /// Reads a number into `slot` of `values`; false, and refused, if it is none or outside its domain.
  bool read(std::int64_t line, std::string_view field, std::string_view text, std::string_view symbol, std::size_t slot,
            DailyValues& values);
  /// Refuses the rows kept since a mark.
  std::size_t mark() const { return row_.size(); }
  void refuse_since(std::size_t mark, std::string_view field, std::string_view rule, std::string_view value);
  /// Sorts, refuses repeated rows. Leaves name and source to the caller.
  HistorySource finish();

 private:
  struct Row {
    std::uint32_t symbol;
    DayNumber day;
    std::int64_t line;
    DailyValues value;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  const Calendar& calendar_;
  HistorySource out_;
  std::vector<Row> row_;
  std::vector<std::string> symbol_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> index_;
  std::unordered_map<DayNumber, std::optional<Instant>> known_;  ///< from when on rows of a day are; none: no session
};

/// A symbol as stored: trimmed, without "^" or "_" in front, capitals if it has no capital; empty if it is none. What
/// tells share classes apart (BRK/B, AAICpB) stays.
std::string daily_symbol(std::string_view text);

/// Whether a first line is the header of the respective format.
bool is_finra_header(std::string_view line);
bool is_dix_header(const std::vector<std::string_view>& fields);
bool is_daily_header(const std::vector<std::string_view>& fields);

/// The parsers. @throws InputError for a text that cannot be used at all
HistorySource parse_finra(LineReader& lines, const std::string& label, const Calendar& calendar);
/// `symbol` is for files without a column of symbols; empty refuses them.
HistorySource parse_daily_csv(LineReader& lines, const std::string& label, const Calendar& calendar,
                              HistoryFormat format, const std::string& symbol);

}  // namespace greekgrid::ingest_detail
