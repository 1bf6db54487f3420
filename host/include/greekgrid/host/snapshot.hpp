#pragma once

/// @file
/// Snapshot: only what may be priced. Built once from an OptionChain, validated, then immutable.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/diagnostic.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

enum class ForwardSource : std::int8_t { kMissing = 0, kParity = 1, kNeighbourCarry = 2, kGivenRateAndYield = 3 };
enum class IvSource : std::int8_t {
  kMissing = 0,
  kOwnMid = 1,
  kVendor = 2,
  kOppositeRight = 3,
  kSmile = 4,
  kNeighbourExpiry = 5
};

/// Why a ticker is in the result or not.
enum class TickerStatus : std::int8_t {
  kOk = 0,
  kNoContracts = 1,    ///< the chain lists none
  kAllExpired = 2,     ///< every contract settled at or before quote_time
  kNoSpot = 3,         ///< spot missing or not positive
  kTooLittleIv = 4,    ///< usable volatility for less than the stated share of open interest
  kNotInChain = 5,     ///< asked for by name, not in the input
  kNoOpenInterest = 6  ///< no live contract has open interest
};

/// One row of /quality: every ticker considered, refused ones included.
struct TickerQuality {
  std::string ticker;
  TickerStatus status = TickerStatus::kOk;
  std::int64_t contracts = 0;      ///< priced
  std::int64_t rows_in = 0;        ///< contract rows of the chain
  std::int64_t rows_expired = 0;   ///< settled at or before quote_time
  std::int64_t rows_refused = 0;   ///< live but refused, each with a Diagnostic
  double coverage = 0.0;           ///< share of live OI that is priced, 1
  double filled_iv_share = 0.0;    ///< share of priced OI whose volatility is not the first source asked for, 1
  double expired_share = 0.0;      ///< share of the chain's OI that is expired, 1
  std::int64_t clipped_cells = 0;  ///< (contract, rule, time, shift, spot) cells where the IV floor binds
};

/// The priced books: U accepted tickers, E expiries, N contracts; expiries of a ticker and contracts of an expiry are
/// contiguous, in chain order.
struct Snapshot {
  Instant quote_time = 0;

  std::vector<std::string> ticker;           // (U) bytewise sorted
  std::vector<double> spot;                  // (U) USD
  std::vector<double> spot_basis;            // (U) ln(S_syn / S)
  std::vector<double> atm_iv;                // (U) volatility at the money at about 30 days, sets expected moves
  std::vector<std::int64_t> expiry_begin;    // (U + 1)
  std::vector<std::int64_t> contract_begin;  // (U + 1)

  std::vector<std::int32_t> expiry_ticker;          // (E) index into ticker
  std::vector<std::string> root;                    // (E)
  std::vector<Instant> settlement;                  // (E)
  std::vector<Exercise> exercise;                   // (E)
  std::vector<SettlementStyle> style;               // (E)
  std::vector<double> rate;                         // (E)
  std::vector<double> dividend_yield;               // (E)
  std::vector<ForwardSource> forward_source;        // (E)
  std::vector<std::int64_t> expiry_contract_begin;  // (E + 1) into contracts

  std::vector<std::int32_t> contract_expiry;  // (N) index into expiries
  std::vector<std::int64_t> chain_row;        // (N) row of the chain
  std::vector<double> strike;                 // (N)
  std::vector<std::int8_t> right;             // (N)
  std::vector<double> multiplier;             // (N)
  std::vector<double> open_interest;          // (N)
  std::vector<double> implied_volatility;     // (N)
  std::vector<IvSource> iv_source;            // (N)
  std::vector<double> vendor_gamma;           // (N) as quoted, for comparisons

  std::vector<TickerQuality> quality;  // tickers considered, bytewise sorted
  Diagnostics diagnostics;             // one per refused live contract and per refused ticker

  std::size_t tickers() const { return ticker.size(); }
  std::size_t expiries() const { return root.size(); }
  std::size_t contracts() const { return strike.size(); }
};

}  // namespace greekgrid
