#pragma once

/// @file
/// The folklore gamma exposure, as the widely copied script of S. Perfiliev computes it: for comparison with published
/// numbers, never for results of our own.

#include <cstdint>
#include <vector>

#include "greekgrid/host/chain.hpp"

namespace greekgrid {

/// Conventions: dealers long calls and short puts; the vendor's gamma for the total; for the profile the vendor's
/// volatility, r = q = 0, tau = weekdays to expiration / 262 with 0DTE counted as one day; 60 evenly spaced spots from
/// 0.8 to 1.2 of spot; the flip by linear interpolation at the first change of sign; days counted from the file's date.
struct FolkloreGamma {
  double total = 0.0;           ///< 1e9 USD per 1 %
  std::vector<double> flips;    ///< USD, ascending; empty if the profile does not change sign
  std::vector<double> spot;     ///< (60) USD
  std::vector<double> profile;  ///< (60) 1e9 USD per 1 %
};

/// Computes it for one ticker of a chain, over every listed contract whose expiration is not before the file's date.
FolkloreGamma folklore_gamma(const OptionChain& chain, std::size_t ticker);

}  // namespace greekgrid
