#pragma once

/// @file
/// G: how the gamma of calls compares with that of puts, from open interest alone.

#include <cstdint>
#include <span>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/host/chain.hpp"
#include "greekgrid/host/daily_history.hpp"

namespace greekgrid {

/// Volatility at which G prices every contract; rates and yields are 0.
inline constexpr double kPercentGammaVolatility = 0.20;

/// The contracts of one underlying as G sees them: N, in any order.
struct PercentGammaBook {
  std::span<const double> strike;         ///< (N) USD
  std::span<const std::int8_t> right;     ///< (N) +1 call, -1 put
  std::span<const double> open_interest;  ///< (N) contracts, NaN counts as 0
  std::span<const double> multiplier;     ///< (N) shares
  std::span<const Instant> settlement;    ///< (N)
};

/// The book of one ticker of a chain. Views of the chain and of `settlement`, which is filled: both must outlive it.
/// @param u          index of the ticker
/// @param settlement (N) out, of each contract
PercentGammaBook percent_gamma_book(const OptionChain& chain, std::size_t u, std::vector<Instant>& settlement);

/// Gammas of a 1 % move by right, shares: calls up, sum OI m [delta(1.01 S) - delta(S)], and puts down,
/// sum OI m |delta(0.99 S) - delta(S)|.
struct PercentGamma {
  double call = 0.0, put = 0.0;

  /// G in [0, 1]: the calls' share, 0.5 = balanced; NaN where both are 0.
  double share() const;
};

/// G's gammas at a spot and instant; contracts that settle at or before it are left out. Needs no implied volatility.
/// Source: the call share of percent gamma of the public description of the four predictors.
/// @param spot USD, > 0
PercentGamma percent_gamma(const PercentGammaBook& book, double spot, Instant at);

/// The same at many spots, in a fraction of the time: where a settlement's deviation is wide beside the distance of the
/// spots it is evaluated at points an eighth of it apart and carried to the spots by Lagrange interpolation through
/// eight points, below 1e-7 of the largest gamma.
/// @param spot USD, > 0, ascending
std::vector<PercentGamma> percent_gammas(const PercentGammaBook& book, std::span<const double> spot, Instant at);

/// G of every ticker of a chain that has a spot and contracts of both kinds to speak of, as rows of one session: the
/// last whose open is not after the quotes. `source` and other quantities are empty.
/// @param knowledge_time from which on the chain's quotes and open interest were known
DailyHistory percent_gamma_history(const OptionChain& chain, const Calendar& calendar, Instant knowledge_time);

}  // namespace greekgrid
