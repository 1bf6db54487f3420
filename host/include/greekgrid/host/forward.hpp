#pragma once

/// @file
/// The forward of one expiry from put-call parity.

#include <limits>
#include <span>

#include "greekgrid/host/calendar.hpp"

namespace greekgrid {

/// The two-sided quotes of one strike, USD per share; NaN is missing.
struct StrikeQuotes {
  double strike;
  double call_bid, call_ask, put_bid, put_ask;
};

/// What parity says of one expiry's forward. Values are NaN where pairs = 0.
struct ParityForward {
  double forward = std::numeric_limits<double>::quiet_NaN();  ///< USD: median of strike + (C - P) / discount at mid
  double low = std::numeric_limits<double>::quiet_NaN();      ///< USD: the highest forward below which a sale would pay
  double high = std::numeric_limits<double>::quiet_NaN();     ///< USD: the lowest above which a purchase would pay
  double residual = std::numeric_limits<double>::quiet_NaN();  ///< USD: median distance of the pairs from their median
  int pairs = 0;
  int supporting = 0;  ///< pairs whose own bid and ask allow the forward, to 5 bp
};

/// Robust put-call parity over the pairs nearest the money: strikes with bid > 0 and ask > bid on both sides, the 11
/// (American exercise: 5) nearest to the strike of least |C - P|. low > high says that the quotes contradict each
/// other.
/// @param quotes   in increasing strike
/// @param discount value now of 1 USD at settlement
ParityForward parity_forward(std::span<const StrikeQuotes> quotes, double discount, Exercise exercise);

}  // namespace greekgrid
