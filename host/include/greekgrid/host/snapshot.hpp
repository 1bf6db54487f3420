#pragma once

/// @file
/// Snapshot: only what may be priced. Built once from an OptionChain, validated, then immutable.

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/diagnostic.hpp"
#include "greekgrid/host/forward.hpp"
#include "greekgrid/host/smile_fit.hpp"
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

/// What became of a contract's own quote on its way to a volatility.
enum class QuoteStatus : std::int8_t {
  kMissing = 0,         ///< bid or ask is not there
  kOk = 1,              ///< two-sided and inside the bounds of its right
  kPlaceholder = 2,     ///< bid and ask both 0: nobody was quoting
  kNoBid = 3,           ///< ask alone
  kCrossed = 4,         ///< ask below bid
  kWide = 5,            ///< spread above the mid and above 0.10 USD: the mid says nothing
  kBelowIntrinsic = 6,  ///< mid at or below the discounted intrinsic value
  kAboveBound = 7       ///< mid at or above the discounted forward (call) or strike (put)
};

/// Where a ticker's spot came from.
enum class SpotSource : std::int8_t { kMissing = 0, kVendor = 1, kParity = 2 };

/// Why a volatility metric is null; its value is NaN exactly when this is not kOk.
enum class MetricStatus : std::int8_t {
  kOk = 0,
  kOutsideRange = 1,  ///< the horizon lies outside the listed expiries
  kNoSmile = 2,       ///< no expiry has a smile
  kNoQuotes = 3       ///< too few two-sided quotes
};

/// Why a ticker is in the result or not.
enum class TickerStatus : std::int8_t {
  kOk = 0,
  kNoContracts = 1,       ///< the chain lists none
  kAllExpired = 2,        ///< every contract settled at or before quote_time
  kNoSpot = 3,            ///< spot missing or not positive
  kTooLittleIv = 4,       ///< usable volatility for less than the stated share of open interest
  kNotInChain = 5,        ///< asked for by name, not in the input
  kNoOpenInterest = 6,    ///< no live contract has open interest
  kSpotContradicted = 7,  ///< parity puts the spot more than 25 % from the vendor's
  kStageFailed = 8        ///< its data made a stage of the run fail; the reason is in the reject report
};
/// Name of a status as files and reports spell it.
constexpr std::string_view name(TickerStatus status) {
  constexpr std::array<std::string_view, 9> names = {
      "ok",           "no_contracts",     "all_expired",       "no_spot",     "too_little_iv",
      "not_in_chain", "no_open_interest", "spot_contradicted", "stage_failed"};
  return names[static_cast<std::size_t>(status)];
}

/// One row of /quality: every ticker considered, refused ones included. NaN is what was not measured.
struct TickerQuality {
  std::string ticker;
  TickerStatus status = TickerStatus::kOk;
  std::int64_t contracts = 0;                                      ///< priced
  std::int64_t rows_in = 0;                                        ///< contract rows of the chain
  std::int64_t rows_expired = 0;                                   ///< settled at or before quote_time
  std::int64_t rows_refused = 0;                                   ///< live but refused, each with a Diagnostic
  double coverage = std::numeric_limits<double>::quiet_NaN();      ///< share of live OI that is priced, 1
  double own_iv_share = std::numeric_limits<double>::quiet_NaN();  ///< share of live OI whose volatility comes from
                                                                   ///< quotes at its strike, 1
  /// Share of live OI whose volatility was observed at its strike (own or vendor's, either right) or lies between the
  /// outermost points of its smile, 1. Below MarketConfig::minimum_coverage the ticker is refused: what is
  /// extrapolated is not trusted to carry it.
  double supported_iv_share = std::numeric_limits<double>::quiet_NaN();
  double filled_iv_share = std::numeric_limits<double>::quiet_NaN();  ///< share of priced OI whose volatility is not
                                                                      ///< from the first source asked for, 1
  double expired_share = 0.0;                                         ///< share of the chain's OI that is expired, 1
  /// Median over expiries of the parity residual relative to the forward, 1; NaN without pairs.
  double parity_residual = std::numeric_limits<double>::quiet_NaN();
  /// Mean over smiles of the larger of butterfly and calendar score, each capped at 1; NaN without smiles.
  double arbitrage_score = std::numeric_limits<double>::quiet_NaN();
  /// Median of (ask - bid) / mid over the quotes inverted within one deviation of the money, 1; NaN without.
  double spread = std::numeric_limits<double>::quiet_NaN();
  double spot_basis_bp = std::numeric_limits<double>::quiet_NaN();  ///< 1e4 ln(S_syn / S)
  SpotSource spot_source = SpotSource::kMissing;
  std::int64_t clipped_cells = 0;  ///< (contract, rule, time, shift, spot) cells where the IV floor binds
};

/// What was learnt of one expiry; lengths in USD, volatilities in vol, NaN where there is no answer.
struct ExpiryVolatility {
  ParityForward parity;
  SmileKind kind = SmileKind::kMissing;
  std::int32_t points = 0;           ///< strikes the smile was fitted to
  double low_k = 0.0, high_k = 0.0;  ///< their range in ln(strike / forward)
  double residual = 0.0;             ///< vol, of the fit
  double butterfly = 0.0, calendar = 0.0;
  double atm_iv = 0.0;                      ///< at the forward
  double skew_25d = 0.0, skew_10d = 0.0;    ///< sigma(call) - sigma(put) at 25 and 10 delta
  double smirk_25d = 0.0, smirk_10d = 0.0;  ///< (sigma(call) + sigma(put)) / 2 - atm_iv
  /// sigma(K_call) - sigma(K_put) less the skew_25d of an earlier session, whose strikes K have 25 delta; see
  /// set_skew_changes(). NaN without one.
  double skew_25d_change = std::numeric_limits<double>::quiet_NaN();
  double straddle_strike = 0.0, straddle = 0.0;
  double range_50_low = 0.0, range_50_high = 0.0;                ///< strikes of -0.25 and +0.25 delta
  double range_70_low = 0.0, range_70_high = 0.0;                ///< strikes of -0.15 and +0.15 delta
  std::array<double, kQuantileProbabilities.size()> quantile{};  ///< risk-neutral, of the settlement price
};

/// A number that may be null for a stated reason.
struct Metric {
  double value = std::numeric_limits<double>::quiet_NaN();
  MetricStatus status = MetricStatus::kNoSmile;
};

/// One row of /volatility: a ticker's own expected moves at the quote instant.
struct TickerVolatility {
  Metric iv30;             ///< vol, at the forward, 30/365 years, standard roots
  Metric variance_index;   ///< vol, 30/365 years, from the strip of quotes without a smile
  Metric implied_move_1d;  ///< 1: one standard deviation to the next close
  Metric implied_move_5d;  ///< 1: to the fifth next close
  /// Straddle of the first expiry at least a day away, PM root preferred on equal dates.
  Metric straddle;                  ///< USD
  Instant straddle_settlement = 0;  ///< 0 without one
};

/// The priced books: U accepted tickers, E expiries, N contracts; expiries of a ticker and contracts of an expiry are
/// contiguous, in chain order.
struct Snapshot {
  Instant quote_time = 0;

  std::vector<std::string> ticker;           // (U) bytewise sorted
  std::vector<double> spot;                  // (U) USD
  std::vector<double> spot_basis;            // (U) ln(S_syn / S)
  std::vector<double> atm_iv;                // (U) volatility at the money at about 30 days, sets expected moves
  std::vector<TickerVolatility> volatility;  // (U)
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
  std::vector<SmileCurve> smile;                    // (E) kind kMissing: all zero
  std::vector<ExpiryVolatility> expiry_volatility;  // (E)
  std::vector<std::int64_t> expiry_contract_begin;  // (E + 1) into contracts

  std::vector<std::int32_t> contract_expiry;  // (N) index into expiries
  std::vector<std::int64_t> chain_row;        // (N) row of the chain
  std::vector<double> strike;                 // (N)
  std::vector<std::int8_t> right;             // (N)
  std::vector<double> multiplier;             // (N)
  std::vector<double> open_interest;          // (N)
  std::vector<double> volume;                 // (N) contracts traded, as quoted: NaN is missing
  std::vector<double> implied_volatility;     // (N)
  std::vector<IvSource> iv_source;            // (N)
  std::vector<QuoteStatus> quote_status;      // (N)
  std::vector<double> vendor_gamma;           // (N) as quoted, for comparisons
  std::vector<double> column_position;        // (N) dealer contracts of the input's own column, 0 without one

  std::vector<TickerQuality> quality;  // tickers considered, bytewise sorted
  Diagnostics diagnostics;             // one per refused live contract and per refused ticker

  std::size_t tickers() const { return ticker.size(); }
  std::size_t expiries() const { return root.size(); }
  std::size_t contracts() const { return strike.size(); }
};

}  // namespace greekgrid
