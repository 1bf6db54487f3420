#pragma once

/// @file
/// Option symbols of the Options Symbology Initiative and what a root is to an underlying.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "text_scan.hpp"

namespace greekgrid::ingest_detail {

/// The parts of an OSI symbol, read from the right: eight digits of strike in thousandths, C or P, yymmdd, the rest is
/// the root (blanks of the padded form dropped).
struct ContractSymbol {
  std::string_view root;
  DayNumber expiration;
  std::int8_t right;    ///< +1 call, -1 put
  std::int64_t strike;  ///< thousandths of USD
};
std::optional<ContractSymbol> parse_contract_symbol(std::string_view text);

/// Underlying symbol as stored: upper case, no "^" or "_" in front. None if it holds anything but letters, digits and .
/// - / or is longer than 16 characters.
std::optional<std::string> normal_ticker(std::string_view text);

/// The underlying that a root's family belongs to: SPX for SPXW, NDX for NDXP; any other root is its own.
std::string_view family_underlying(std::string_view root);

/// The underlying that a root alone names: its family's, after the digits of an adjusted or mini class are dropped. The
/// root itself if it is nothing but digits.
std::string_view root_underlying(std::string_view root);

/// True if a symbol ends in "-" and one letter or digit: the row of one exchange, beside the consolidated one.
bool has_exchange_suffix(std::string_view symbol);

/// The root of a contract whose source names none. An index with AM and PM classes lists its AM root on the standard
/// monthly date alone (third Friday, or the session before it where that is none; the Saturday behind it until 2015)
/// and its PM root on every other; any other ticker is its own root, punctuation dropped.
std::string listed_root(std::string_view ticker, DayNumber expiration, const Calendar& calendar);
/// True if a ticker has several roots that can share date and strike, so that a source without roots is ambiguous.
bool has_several_roots(std::string_view ticker);
/// True for the standard monthly date, as above.
bool is_monthly_expiration(DayNumber expiration, const Calendar& calendar);

enum class RootStanding : std::uint8_t {
  kStandard,  ///< delivers 100 shares of the underlying, or its index
  kMini,      ///< delivers 10 shares: SPY7, AAPL7, AMZN7, GLD7, GOOG7 and GOOGL7, listed from 2013
  kAdjusted,  ///< ticker and digit: a deliverable changed by a corporate action, multiplier unknown
  kForeign    ///< belongs to another underlying
};
/// What `root` is to `ticker` (as normal_ticker gives it). BRKB is standard for BRK-B: punctuation does not count.
RootStanding root_standing(std::string_view ticker, std::string_view root);

/// Shares per contract of a class: `given` is what its row says, 0 if nothing. 0: unknown, the contract is not to be
/// kept. An adjusted class is kept only with a multiplier of its own: at 100 the deliverable is known to differ in
/// another way.
std::uint16_t class_multiplier(RootStanding standing, std::uint16_t given);

}  // namespace greekgrid::ingest_detail
