#pragma once

/// @file
/// The dealers' trade behind a change of delta exposure, in shares, contract-delta and index futures, and in words.

#include <optional>
#include <string>
#include <string_view>

namespace greekgrid {

/// The futures that hedge a book of index options, CME Group's contract specifications.
struct IndexFutures {
  std::string_view contract;        ///< the E-mini: "ES", "NQ", "RTY"
  double multiplier = 0.0;          ///< USD per index point and contract: shares of the index per contract
  std::string_view micro_contract;  ///< the micro E-mini, a tenth of it: "MES", "MNQ", "M2K"
  double micro_multiplier = 0.0;    ///< USD per index point and contract
};

/// SPX: ES (50) and MES (5); NDX: NQ (20) and MNQ (2); RUT: RTY (50) and M2K (5); none for any other ticker: DJX is a
/// hundredth and XSP a tenth of the index their futures follow, stocks and funds are hedged in shares.
std::optional<IndexFutures> index_futures(std::string_view ticker);

/// Dealer hedge flow between two states, H = -(dx_to - dx_from), shares, + = dealers BUY.
/// @param dx_from, dx_to delta exposure of the same dealer positions, shares
constexpr double hedge_flow(double dx_from, double dx_to) {
  return -(dx_to - dx_from);
}

/// Shares as contract-delta: deltas of contracts of 100 shares.
constexpr double contract_delta(double shares) {
  return shares / 100.0;
}

/// Shares of an index as futures contracts. @param multiplier USD per index point and contract, > 0
constexpr double futures_contracts(double shares, double multiplier) {
  return shares / multiplier;
}

/// What dealers buy (+) or sell (-) in futures contracts as time passes, of a charm heatmap's cell.
/// @param charm      contract-delta per 5 min: the change of delta exposure, so dealers trade its negative; -2 charm in
/// ES
/// @param multiplier USD per index point and contract, > 0
constexpr double charm_hedge(double charm, double multiplier) {
  return futures_contracts(hedge_flow(0.0, 100.0 * charm), multiplier);
}

/// What dealers buy (+) or sell (-) in futures contracts into a rise of 2.5 points, of a gamma heatmap's cell; into a
/// fall of 2.5 points the negative of it.
/// @param gamma      contract-delta per 2.5 points, GX * 2.5 / 100; -2 gamma in ES: positive gamma sells into a rise
/// @param multiplier USD per index point and contract, > 0
constexpr double gamma_hedge(double gamma, double multiplier) {
  return futures_contracts(hedge_flow(0.0, 100.0 * gamma), multiplier);
}

/// A dealers' trade in words: "dealers sell 600 ES (6,000 MES)" for SPX, "dealers buy 12,300 shares" where no future is
/// tabled. Rounded to whole contracts (shares), halves away from zero; what is less than half an E-mini is said in
/// micros, "dealers buy 4 MES", and what is less than half a micro (share) is "dealers trade nothing".
/// @param shares + = dealers BUY (hedge_flow); "hedge unknown" if it is not finite
std::string hedge_in_words(std::string_view ticker, double shares);

/// A charm heatmap's cell in words: "dealers buy 600 ES (6,000 MES) in 5 minutes" for SPX and -300.
/// @param charm   contract-delta over the step
/// @param minutes the step
std::string charm_in_words(std::string_view ticker, double charm, double minutes);

/// A gamma heatmap's cell in words: "dealers sell 600 ES (6,000 MES) into a rise of 2.5 points and buy as many into a
/// fall" for SPX and 300 ("of 0.23 USD" where no future is tabled); "dealers trade nothing" and "hedge unknown" stand
/// alone.
/// @param gamma contract-delta per move
/// @param move  USD, gamma_move()
std::string gamma_in_words(std::string_view ticker, double gamma, double move);

}  // namespace greekgrid
