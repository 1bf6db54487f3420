#pragma once

/// @file
/// From what a file says to what may be priced.

#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/run_config.hpp"
#include "greekgrid/host/snapshot.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid {

/// What a snapshot took, wall time.
struct SnapshotTimings {
  double forward_seconds = 0.0;    ///< judging rows, parity, choice of quotes
  double inversion_seconds = 0.0;  ///< in the backend
  double smile_seconds = 0.0;      ///< smiles, filling, metrics
  std::size_t inversions = 0;
};

/// Judges every contract of the wanted tickers and gives each that may be priced a forward and a volatility.
///
/// Forwards: parity_forward() per expiry where it holds (two pairs with a residual up to 1 % of the forward, or one
/// pair no wider than 0.5 %). The spot that the options saw, S_syn, is the median over the three nearest such expiries
/// within 10 days of their forwards discounted with the rate, known dividends added back; where there are none within
/// 10 days, what two expiries leave at tau = 0 if it exceeds their noise; else the vendor's. spot_basis = ln(S_syn / S)
/// is held. From five days on parity sets an expiry's dividend yield, below it the neighbours do (ln(F/S)/tau would be
/// noise).
///
/// Volatility: per strike the quote out of the money is inverted, or the other right's where that is unusable, and both
/// rights take the result. Then, in the order that IvPreference says: the smile between its outermost points, the
/// vendor's column, the smile beyond them, a neighbouring expiry's smile. One source per contract is recorded.
///
/// Every refused live contract and every refused ticker is one Diagnostic of the result; expired contracts are counted.
/// Refused as errors of the file: a spot outside 1e-4 .. 1e9 USD, a volatility above 100 (10,000 %), open interest or
/// dealer position of more than 1e12 shares a contract, negative open interest. A missing spot is taken from parity.
/// @param backend inverts the quotes; all backends agree to a few roundings
/// @param timings filled if given
/// @throws BackendError
Snapshot make_snapshot(const OptionChain& chain, const MarketConfig& config, const TickerSelection& selection,
                       const Calendar& calendar, Backend& backend, SnapshotTimings* timings = nullptr);

/// The same for every ticker of a chain or of a part of one, each on its own: a snapshot of one accepted ticker, or of
/// none with the row of quality and the diagnostics of a refused one. Numbers do not depend on what else is in the
/// part. A ticker whose data makes a stage throw is refused as stage_failed.
/// @param notional filled, if given, with OI x multiplier x spot of each ticker's live contracts, USD
/// @param fits if given, by ticker: those of an earlier call with the same data are taken, those that are empty filled
std::vector<Snapshot> make_ticker_snapshots(const OptionChain& chain, const MarketConfig& config,
                                            const Calendar& calendar, Backend& backend,
                                            SnapshotTimings* timings = nullptr, std::vector<double>* notional = nullptr,
                                            std::vector<SmileFits>* fits = nullptr);

/// How many symbols of a ranking name no ticker of a chain (bytewise sorted), share classes matched as in a selection.
std::size_t count_missing(std::span<const std::string> ranking, std::span<const std::string> ticker);

/// The skew of one expiry in the result of an earlier session.
struct EarlierSkew {
  std::string ticker, root;
  Instant settlement = 0;
  double put_strike = 0.0, call_strike = 0.0;  ///< USD: those of delta -0.25 and 0.25 then (range_50_low and _high)
  double skew = 0.0;                           ///< vol: sigma(call_strike) - sigma(put_strike) then
};
/// Sets skew_25d_change of each expiry with a smile that an earlier session had too, by ticker, root and settlement.
/// The strikes are that session's, so that a move of spot along a smile that stays where it is changes nothing.
void set_skew_changes(Snapshot& snapshot, std::span<const EarlierSkew> earlier);

/// True if a vendor's volatility is a placeholder: not above 1e-4; or equal to `floor`, the smallest positive
/// volatility of its ticker where that occurs more than 20 times (NaN if it does not); or within 2e-5 of 2^-k, k
/// = 0..13, with neither bid nor ask (left-overs of a bisection).
bool is_placeholder_iv(double iv, double floor, double bid, double ask);

/// Signed dealer contracts of each model: (N, W), by contract then model.
std::vector<double> dealer_positions(const Snapshot& snapshot, std::span<const PositionModel> models);

/// View of one ticker's contracts, with weights (W, n) that the caller owns (see exposure_weights).
BookView make_book(const Snapshot& snapshot, std::size_t ticker, std::span<const double> weights,
                   std::vector<std::int64_t>& expiry_begin);
/// n m of one ticker: (W, n) from dealer positions (N, W).
std::vector<double> exposure_weights(const Snapshot& snapshot, std::size_t ticker,
                                     std::span<const double> dealer_position, std::size_t models);

}  // namespace greekgrid
