#pragma once

/// @file
/// From what a file says to what may be priced.

#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/run_config.hpp"
#include "greekgrid/host/snapshot.hpp"

namespace greekgrid {

/// Judges every contract of the wanted tickers: settlement after quote_time, open interest known, a usable volatility,
/// a forward. Every refused live contract and every refused ticker is one Diagnostic of the result; expired contracts
/// are counted. Volatility as IvPreference says, then from the opposite right at the same strike; one source per
/// contract is recorded. Refused as errors of the file: a spot outside 1e-4 .. 1e9 USD, a volatility above 100 (10,000
/// %), open interest or dealer position of more than 1e12 shares a contract, negative open interest. Forwards are S
/// e^((rate - dividend_yield) tau).
Snapshot make_snapshot(const OptionChain& chain, const MarketConfig& config, const TickerSelection& selection);

/// True if a vendor's volatility is a placeholder: not above 1e-4; or equal to `floor`, the smallest positive
/// volatility of its ticker where that occurs more than 20 times (NaN if it does not); or within 2e-5 of 2^-k, k
/// = 1..6, with neither bid nor ask (left-overs of a bisection).
bool is_placeholder_iv(double iv, double floor, double bid, double ask);

/// Signed dealer contracts of each model: (N, W), by contract then model. kSignedColumn reads the chain's column.
std::vector<double> dealer_positions(const Snapshot& snapshot, const OptionChain& chain,
                                     std::span<const PositionModel> models);

/// View of one ticker's contracts, with weights (W, n) that the caller owns (see exposure_weights). Snapshots carry no
/// smiles yet: BookView::smile stays empty, and with it the rules that follow the smile are refused (see run_night).
BookView make_book(const Snapshot& snapshot, std::size_t ticker, std::span<const double> weights,
                   std::vector<std::int64_t>& expiry_begin);
/// n m of one ticker: (W, n) from dealer positions (N, W).
std::vector<double> exposure_weights(const Snapshot& snapshot, std::size_t ticker,
                                     std::span<const double> dealer_position, std::size_t models);

}  // namespace greekgrid
