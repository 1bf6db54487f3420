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

enum class RootStanding : std::uint8_t {
  kStandard,  ///< delivers 100 shares of the underlying, or its index
  kAdjusted,  ///< ticker and digit: a deliverable changed by a corporate action or a mini, multiplier unknown
  kForeign    ///< belongs to another underlying
};
/// What `root` is to `ticker` (as normal_ticker gives it). BRKB is standard for BRK-B: punctuation does not count.
RootStanding root_standing(std::string_view ticker, std::string_view root);

}  // namespace greekgrid::ingest_detail
