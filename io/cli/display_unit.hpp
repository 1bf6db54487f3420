#pragma once

/// @file
/// Units that people read exposures in, derived from the units that a file stores: "shares USD-1" as USD per 1 % of
/// spot.

#include <string>

namespace greekgrid::cli {

/// A factor on stored numbers and the name of what comes out.
struct DisplayUnit {
  double factor = 1.0;
  int spot_power = 0;   ///< the factor is times the spot of the cell to this power
  std::string name;     ///< "USD per 1 %", "shares per minute"
  bool scales = false;  ///< whether large numbers may be shown in thousands of millions

  double of(double stored, double spot) const;
};

/// The unit of `stored` (UDUNITS as files spell it) in one of the ways below, or several joined by commas; an empty
/// `asked` chooses what the field quotes. `base` is as stored.
///   usd                shares times the spot of the cell        contract_delta     shares / 100
///   per_1pct           per 1.00 of spot times 0.01 spot         usd_per_1pct       usd,per_1pct
///   per_2.5pt          per 1.00 of spot times 2.5
///   per_vol_point      per 1.00 of volatility times 0.01        usd_per_vol_point  usd,per_vol_point
///   per_minute, per_5min, per_day: per year over 525600, 105120, 365
/// @throws UsageError for a way that the stored unit does not have; it lists those that it has
DisplayUnit display_unit(const std::string& stored, const std::string& asked);

}  // namespace greekgrid::cli
