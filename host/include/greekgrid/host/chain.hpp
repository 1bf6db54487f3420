#pragma once

/// @file
/// OptionChain: what a file says, nothing filled, nothing judged beyond what is needed to identify a contract.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/diagnostic.hpp"

namespace greekgrid {

/// Where a chain came from.
struct ChainSource {
  std::string name;    ///< base name
  std::string sha256;  ///< 64 lower-case hexadecimal digits, of the bytes on disk
};

/// One quote instant, many underlyings: U tickers, E expiries, N contracts; the memory image of chains.h5.
/// Sorted by ticker (bytes), settlement, root (bytes), strike (integer thousandths), right (-1 before +1); no
/// duplicates.
struct OptionChain {
  Instant quote_time = 0;                    ///< when the quotes were alive
  Instant file_time = 0;                     ///< the stamp of the file
  std::string open_interest_settle_date;     ///< ISO date, empty if unknown
  std::string open_interest_knowledge_time;  ///< ISO 8601 with zone, empty if unknown
  std::vector<ChainSource> source;

  std::vector<std::string> ticker;           // (U)
  std::vector<double> spot;                  // (U) USD, NaN missing
  std::vector<std::int64_t> contract_begin;  // (U)
  std::vector<std::int64_t> contract_count;  // (U)
  /// Of a part of a chain: where its tickers and their contracts are in the whole. Empty: this is the whole.
  std::vector<std::size_t> whole_ticker;     // (U)
  std::vector<std::int64_t> whole_contract;  // (U) row of the first contract

  std::vector<std::int32_t> expiry_ticker;  // (E)
  std::vector<std::string> root;            // (E)
  std::vector<Instant> settlement;          // (E)
  std::vector<Exercise> exercise;           // (E)
  std::vector<SettlementStyle> style;       // (E)

  std::vector<std::int32_t> contract_expiry;  // (N)
  std::vector<double> strike;                 // (N) USD, thousandths / 1000
  std::vector<std::int8_t> right;             // (N) +1 call, -1 put
  std::vector<double> multiplier;             // (N) shares
  std::vector<double> bid, ask, last;         // (N) USD, NaN missing
  std::vector<double> volume, open_interest;  // (N) contracts, NaN missing
  std::vector<double> vendor_iv;              // (N) vol, as quoted, NaN missing
  std::vector<double> vendor_delta;           // (N) 1
  std::vector<double> vendor_gamma;           // (N) USD-1
  std::vector<double> dealer_position;        // (N) signed contracts, or empty when the input carries none

  std::int64_t rows_in = 0;              ///< contracts that the sources listed; = contracts() + rejects.size()
  std::int64_t rows_other_sessions = 0;  ///< rows of sessions that were not asked for; not among rows_in
  Diagnostics rejects;                   ///< one per refused contract row; not stored in chains.h5

  /// Place of a ticker and row of its first contract in the whole chain.
  std::size_t place(std::size_t u) const { return whole_ticker.empty() ? u : whole_ticker[u]; }
  std::int64_t first_row(std::size_t u) const { return whole_contract.empty() ? contract_begin[u] : whole_contract[u]; }

  std::size_t tickers() const { return ticker.size(); }
  std::size_t expiries() const { return root.size(); }
  std::size_t contracts() const { return strike.size(); }
};

/// Columns of doubles that every chain has, by contract, but for the strike.
inline constexpr std::array<std::vector<double> OptionChain::*, 9> kChainColumns = {
    &OptionChain::multiplier, &OptionChain::bid,          &OptionChain::ask,
    &OptionChain::last,       &OptionChain::volume,       &OptionChain::open_interest,
    &OptionChain::vendor_iv,  &OptionChain::vendor_delta, &OptionChain::vendor_gamma};

/// The part of a chain that belongs to some of its tickers, ascending; the header is that of the whole.
OptionChain part_of(const OptionChain& chain, std::span<const std::size_t> ticker);

}  // namespace greekgrid
