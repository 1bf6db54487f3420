#pragma once

/// @file
/// Who owns a change of delta: a move of spot, volatility and time split into its causes, by expiry and by strike.

#include <array>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/host/calendar.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

/// A move from the quote instant, spot_reference and iv_shift 0.
struct Move {
  double log_spot = 0.0;  ///< ln(S' / S0)
  double iv_shift = 0.0;  ///< vol, the same for every contract, down to the floor
  Instant time = 0;       ///< at or after the quote instant
};

/// A move as configured, in units that fit every ticker.
struct NamedMove {
  std::string name;
  double expected_moves = 0.0;  ///< log return of spot, in expected moves to the next close
  double iv_shift = 0.0;        ///< vol
  int sessions = 0;             ///< closes ahead; 0 is the quote instant
};

/// Parts of a change of DX, each in shares and by full repricing: the three moves alone, what two of them together do
/// beyond that, and what only all three do.
enum class AttributionTerm : std::uint8_t {
  kTotal,     ///< DX(S', sigma', t') - DX(S0, sigma, t0)
  kGamma,     ///< spot alone: DX(S') - DX
  kVanna,     ///< volatility alone: DX(sigma') - DX
  kCharm,     ///< time alone: DX(t') - DX, settled contracts included
  kSpotIv,    ///< DX(S', sigma') - DX(S') - DX(sigma') + DX
  kSpotTime,  ///< likewise
  kIvTime,    ///< likewise
  kResidual,  ///< total less the six above
};
inline constexpr std::size_t kAttributionTerms = 8;
constexpr std::string_view name(AttributionTerm term) {
  constexpr std::array<std::string_view, kAttributionTerms> names = {"total",   "gamma",     "vanna",   "charm",
                                                                     "spot_iv", "spot_time", "iv_time", "residual"};
  return names[static_cast<std::size_t>(term)];
}

/// Attribution of A moves: rows x W models x A moves x terms, C-ordered, shares.
struct Attribution {
  std::vector<double> by_expiry;  ///< (E, W, A, kAttributionTerms)
  std::vector<double> by_strike;  ///< (K, W, A, kAttributionTerms), K strikes as make_profile lists them

  void append(const Attribution& other);
};

/// Splits the moves' changes of DX. Volatility stays with the strike, then takes the shift and the floor. The dealers'
/// trade is the negative of a change.
/// @param quote_time the instant that moves start from
/// @param strike (K) ascending: the strikes of the book
Attribution attribute(const BookView& book, std::size_t positions, Instant quote_time, double iv_floor,
                      std::span<const double> strike, std::span<const Move> moves);

}  // namespace greekgrid
