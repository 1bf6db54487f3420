#pragma once

/// @file
/// From rows in file order to one sorted OptionChain. Every row that enters leaves as a contract or as a Diagnostic.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "contract_symbol.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/io/ingest.hpp"
#include "text_scan.hpp"

namespace greekgrid::ingest_detail {

/// One contract as its row says it; NaN is missing.
struct ContractRow {
  double bid, ask, last, volume, open_interest, iv, delta, gamma, spot;
  std::int64_t strike;        ///< thousandths of USD
  Instant stamp;              ///< of the row where the format has one, otherwise 0
  std::int64_t line;          ///< of the block; of the file once the block is in a SourceRows
  std::int32_t ticker, root;  ///< indices into the block's symbols
  DayNumber expiration;
  std::int8_t right;
  std::uint8_t convention = 0;     ///< SettlementStyle + 4 (1 + Exercise), where the row says them; 0: by root
  std::uint16_t multiplier = 100;  ///< shares per contract
};

/// Rows that were parsed together. Symbols are interned per block so that blocks can be parsed concurrently.
struct RowBlock {
  std::vector<std::string> symbol;
  std::vector<ContractRow> row;
  Diagnostics reject;        ///< rows refused while parsing; Diagnostic::row counts as ContractRow::line does
  std::int64_t rows_in = 0;  ///< contract rows seen; = row.size() + reject.size()
  std::int64_t lines = 0;    ///< lines of text seen
  Instant newest_stamp = 0;
  std::map<DayNumber, std::int64_t> session;  ///< sessions that rows name, and how many contracts each has
  std::int64_t other_sessions = 0;            ///< contracts of sessions that were not asked for

  std::int32_t intern(std::string_view text);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> index_;
};

/// One source, parsed.
struct SourceRows {
  std::string name, label, sha256;  ///< base name; what messages call it; digest
  std::string file;                 ///< base name of the file on disk, where that is an archive
  std::vector<RowBlock> block;
  Instant file_time = 0;                           ///< the stamp; 0 if the source has none
  Instant quote_time = 0;                          ///< by the rule of the format, before any override; 0 if unknown
  Instant stale_before = 0;                        ///< rows with an own stamp before this are stale
  std::optional<DayNumber> open_interest_session;  ///< on whose morning the open interest was published, if it is said
  bool snapshots = false;                          ///< stale rows are earlier snapshots of the session
  bool roots_known = true;                         ///< false: roots were inferred, and may be the other class
};

/// Why a row is refused, in the vocabulary of the reject report.
namespace rule {
inline constexpr std::string_view kColumnCount = "column_count", kBadQuoting = "bad_quoting", kBadTicker = "bad_ticker",
                                  kBadStamp = "bad_stamp", kBadSymbol = "bad_symbol", kBadDate = "bad_date",
                                  kBadRight = "bad_right", kBadNumber = "bad_number", kNonFinite = "non_finite",
                                  kNegative = "negative", kMissingStrike = "missing_strike",
                                  kNonpositiveStrike = "nonpositive_strike", kStrikeResolution = "strike_resolution",
                                  kContradictsSymbol = "contradicts_symbol", kAdjustedRoot = "adjusted_root",
                                  kForeignRoot = "foreign_root", kStaleTicker = "stale_ticker",
                                  kEarlierSnapshot = "earlier_snapshot", kDuplicateContract = "duplicate_contract",
                                  kNotAnObject = "not_an_object", kBadMultiplier = "bad_multiplier",
                                  kExchangeRepeat = "exchange_repeat",
                                  kNonstandardDeliverable = "nonstandard_deliverable",
                                  kAmbiguousRoot = "ambiguous_root", kMissingOpenInterest = "missing_open_interest",
                                  kNotInChain = "not_in_chain";
}  // namespace rule

/// A quantity of a row and whether it may be negative. None of them is ever filled.
struct Quantity {
  double ContractRow::*slot;
  bool may_be_negative;
};

/// Stores a number or names the rule that refuses it (empty: stored).
std::string_view store_quantity(ContractRow& row, const Quantity& quantity, const Number& number);

/// The row's contract as an OSI symbol.
std::string symbol_text(const ContractRow& row, std::string_view root);

/// A strike checked against the resolution of 0.001 and, where there is one, the symbol's strike (thousandths), from
/// which it may differ by `tolerance` USD. Empty when `strike` was set.
std::string_view check_strike(const Number& number, double tolerance, const std::int64_t* symbol_strike,
                              std::int64_t& strike);
/// The same of a text, with half a unit of its last decimal as tolerance.
std::string_view check_strike(std::string_view text, const std::int64_t* symbol_strike, std::int64_t& strike);

/// 2026-07-17
std::string iso_date(Date date);
/// 2026-07-17T20:00:00Z
std::string iso_utc(Instant instant);

/// When open interest was settled and became known, as the root attributes of files say it; empty if unknown.
struct OpenInterestDates {
  std::string settled, known;
};
/// Of sources of one session. EOD(D) open interest is the position of the close of D-1, published on the morning of D.
OpenInterestDates open_interest_dates(const std::vector<SourceRows>& sources, const Calendar& calendar);

/// The provenance of sources, each file once.
std::vector<ChainSource> provenance(const std::vector<SourceRows>& sources);

/// Sorts, refuses stale and repeated rows, settles expirations. Result independent of the number of threads.
/// @throws InputError if the sources are of different instants, or no usable row is left.
OptionChain build_chain(std::vector<SourceRows> sources, const Calendar& calendar, const IngestOptions& options);

}  // namespace greekgrid::ingest_detail
