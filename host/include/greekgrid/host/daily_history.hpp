#pragma once

/// @file
/// DailyHistory: daily prices and volumes of many symbols, and what may be said of them.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"

namespace greekgrid {

/// Days of many symbols: S symbols, N rows; the memory image of history.h5. Symbols are sorted by bytes; the rows of
/// one are contiguous and strictly ascending in date. Values are as published: nothing is adjusted or filled, NaN is
/// missing, and every row has at least one value.
///
/// A row is known from one instant on, the latest of what its values came with: prices, volumes of all venues and
/// DIX-style values with the close of the session, FINRA's volumes with their publication, what a chain or a night says
/// with its quotes and open interest. A question about the past asks for the rows known by then.
struct DailyHistory {
  std::vector<ChainSource> source;  ///< files that rows came from, in the order given

  std::vector<std::string> symbol;      // (S) as published, such as SPX, BRK/B, AAICpB
  std::vector<std::int64_t> row_begin;  // (S)
  std::vector<std::int64_t> row_count;  // (S)

  std::vector<Instant> date;                   // (N) 00:00 UTC of the session's date: a label, no instant of trading
  std::vector<Instant> knowledge_time;         // (N) from which on every value of the row was known, not before date
  std::vector<double> open, high, low, close;  // (N) USD
  std::vector<double> volume;                  // (N) shares, of all venues
  std::vector<double> short_volume;            // (N) shares sold short off exchange
  std::vector<double> short_exempt_volume;     // (N) shares
  std::vector<double> off_exchange_volume;     // (N) shares, of the same facilities
  std::vector<double> dix;                     // (N) 1, dark index
  std::vector<double> gex;                     // (N) 1, gamma exposure in its publisher's unit
  std::vector<double> g;                       // (N) 1, call share of percent gamma of a chain
  std::vector<double> spot;                    // (N) USD, of a night's quotes: the close until there is one
  std::vector<double> g_old;                   // (N) 1, call over put gamma at market volatility, of a night
  std::vector<double> gamma_index;             // (N) 1e9 USD, of a night's first position model
  std::vector<double> iv30;                    // (N) vol, of a night

  std::size_t symbols() const { return symbol.size(); }
  std::size_t rows() const { return date.size(); }
};

/// The part of a history that belongs to some of its symbols, ascending; without sources.
DailyHistory part_of(const DailyHistory& history, std::span<const std::size_t> symbol);

/// One quantity of a day.
struct DailyQuantity {
  std::string_view name;
  std::vector<double> DailyHistory::*column;
  bool is_volume;  ///< counted, so never negative and compared exactly
};
inline constexpr std::array<DailyQuantity, 15> kDailyQuantities{
    DailyQuantity{"open", &DailyHistory::open, false},
    DailyQuantity{"high", &DailyHistory::high, false},
    DailyQuantity{"low", &DailyHistory::low, false},
    DailyQuantity{"close", &DailyHistory::close, false},
    DailyQuantity{"volume", &DailyHistory::volume, true},
    DailyQuantity{"short_volume", &DailyHistory::short_volume, true},
    DailyQuantity{"short_exempt_volume", &DailyHistory::short_exempt_volume, true},
    DailyQuantity{"off_exchange_volume", &DailyHistory::off_exchange_volume, true},
    DailyQuantity{"dix", &DailyHistory::dix, false},
    DailyQuantity{"gex", &DailyHistory::gex, false},
    DailyQuantity{"g", &DailyHistory::g, false},
    DailyQuantity{"spot", &DailyHistory::spot, false},
    DailyQuantity{"g_old", &DailyHistory::g_old, false},
    DailyQuantity{"gamma_index", &DailyHistory::gamma_index, false},
    DailyQuantity{"iv30", &DailyHistory::iv30, false}};

/// 00:00 UTC of a date, as rows are labelled.
Instant midnight_of(Date date);

/// Instant from which on FINRA's volumes of a session are known: 18:00 in New York on its day. Source: FINRA's page of
/// the daily short sale volume files, which are posted no later than 6:00 pm ET of the trade date.
Instant finra_knowledge_time(Date session);

/// Appends a symbol with one row, every quantity missing, to a history of one row per symbol; the caller sets the
/// values at the back of the columns. Symbols are to come in the order of their bytes.
/// @param knowledge_time not before 00:00 UTC of the date
void append_symbol_row(DailyHistory& history, const std::string& symbol, Date date, Instant knowledge_time);

/// Whether two values of a quantity say the same: volumes exactly, the others to single precision (2^-23 relative),
/// because publishers print what they hold in single precision to different decimals.
bool same_daily_value(const DailyQuantity& quantity, double a, double b);

/// A value that differs from an earlier one of the same symbol, date and quantity.
struct DailyContradiction {
  std::size_t part = 0;      ///< of the later one, index into the parts merged
  std::size_t row = 0;       ///< of the later one, row of its part
  std::size_t quantity = 0;  ///< index into kDailyQuantities
  double earlier = 0.0, later = 0.0;
};

/// Parts made one.
struct DailyMerge {
  DailyHistory history;
  std::vector<DailyContradiction> contradiction;  ///< by symbol, date, part, quantity
  std::vector<std::int64_t> repeated;             ///< by part: values that an earlier part had said already
  std::vector<std::int64_t> rows_taken;           ///< by part: rows that it added, or filled or replaced a value of
};

/// Merges parts in the order given. A value that repeats an earlier one is fine; of two that differ the earlier stays,
/// or the later with `replace`, and the pair is reported. A row is known with the last of the parts it has a value
/// from. Sources are listed once each, those of parts that nothing was taken from are not. The same parts in one call
/// or in several give the same history. O(N log N), memory that of the result.
DailyMerge merge_histories(std::span<const DailyHistory* const> parts, bool replace);

/// A close so far from the one before that it may be a split.
struct DailyJump {
  std::size_t symbol = 0;  ///< index
  Instant date = 0;        ///< of the later close
  double before = 0.0, after = 0.0;
};

/// What is notable about a history; nothing of it is changed.
struct DailyCheck {
  std::int64_t missing_sessions = 0;   ///< sessions without a row between the first and last row of a symbol, summed
  std::int64_t symbols_with_gaps = 0;  ///< symbols that have any
  std::int64_t stale_rows = 0;         ///< close and (positive) volume both equal to those of the row before
  std::vector<DailyJump> jump;         ///< |ln(close / close before)| > kNotableJump, by symbol and date
};
inline constexpr double kNotableJump = 0.4;

DailyCheck check_history(const DailyHistory& history, const Calendar& calendar);

/// The same text for every spelling of a share class: BRK/B, BRK.B and BRK-B.
std::string share_class_key(std::string symbol);

/// Mean volume, shares, of each ticker over its last `most` rows with a volume not after `date` and not before the
/// year before it; NaN for a ticker without any. Share classes match however they are spelled, as in a ranking.
std::vector<double> average_daily_volume(const DailyHistory& history, std::span<const std::string> ticker, Date date,
                                         int most = 21);

/// Mean close x volume, USD, of each symbol over its rows in the last `window` sessions not after `date`; NaN for those
/// with fewer than `least` such rows.
std::vector<double> mean_dollar_volume(const DailyHistory& history, const Calendar& calendar, Date date,
                                       int window = 60, int least = 20);
/// Symbols (sorted by bytes) by a mean, largest first, ties by name; those without one are left out.
std::vector<std::string> rank_by_dollar_volume(std::span<const std::string> symbol, std::span<const double> mean);
/// Symbols by mean close x volume (USD) over their rows in the last `window` sessions not after `date`, largest first,
/// ties by name. Symbols with fewer than `least` such rows are left out.
std::vector<std::string> rank_by_dollar_volume(const DailyHistory& history, const Calendar& calendar, Date date,
                                               int window = 60, int least = 20);

}  // namespace greekgrid
