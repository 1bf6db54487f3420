#pragma once

/// @file
/// Which tickers of a chain a run takes. Private to host.

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "greekgrid/host/diagnostic.hpp"
#include "greekgrid/host/run_config.hpp"
#include "greekgrid/host/snapshot.hpp"

namespace greekgrid {

inline constexpr std::size_t kUnranked = std::numeric_limits<std::size_t>::max();

/// Tickers of a chain that a selection asks for, with their places in its ranking.
struct Wanted {
  std::vector<std::size_t> ticker;  // of the chain, ascending
  std::vector<std::size_t> rank;    // kUnranked if not in the ranking, or without one
  std::vector<bool> always;
  std::vector<TickerQuality> absent;  // asked for, not in the chain
  Diagnostics diagnostics;            // one per ticker that is absent or not ranked
};

/// @param ticker of the chain, bytewise sorted
Wanted choose_tickers(std::span<const std::string> ticker, const TickerSelection& selection);

/// Which of the wanted stay when the first `top` accepted are asked for: those up to the last accepted one, refused
/// ones among them, by rank or without a ranking by notional, largest first; and those that are always taken.
std::vector<bool> keep_top(const Wanted& wanted, std::span<const double> notional, const std::vector<bool>& accepted,
                           bool ranked, std::size_t top);

}  // namespace greekgrid
