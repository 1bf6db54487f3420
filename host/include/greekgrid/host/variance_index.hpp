#pragma once

/// @file
/// Model-free variance: the price of a strip of out-of-the-money options.

#include <optional>
#include <span>

#include "greekgrid/host/forward.hpp"

namespace greekgrid {

/// Annualised variance of one expiry from its quotes: (2/tau) sum dK/K^2 Q(K)/discount - (F/K0 - 1)^2/tau, F from the
/// strike of least |C - P| at mid, K0 the highest strike at or below F, Q the mid out of the money and the mean of both
/// rights at K0, outwards until two strikes in a row have no bid, strikes without a bid left out. No smile is used.
/// Source: Cboe Volatility Index white paper (2009), steps 1 and 2.
/// @param quotes in increasing strike  @return vol^2, or nothing where fewer than two strikes are left on either side
std::optional<double> strip_variance(std::span<const StrikeQuotes> quotes, double discount, double tau);

/// Volatility at `target` years from the variances of the expiries around it, linear in total variance.
/// Source: the same, step 3.
double interpolate_volatility(double near_tau, double near_variance, double far_tau, double far_variance,
                              double target);

}  // namespace greekgrid
