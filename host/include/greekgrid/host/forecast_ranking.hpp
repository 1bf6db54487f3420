#pragma once

/// @file
/// The ranking page: which tickers their own past says will rise most, and which fall.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace greekgrid {

/// Tickers on each side of the page at most.
inline constexpr std::size_t kRankedTickers = 50;

enum class RankingSide : std::int8_t { kBullish, kBearish };

/// One line of the page.
struct RankedTicker {
  std::size_t index = 0;  ///< into what was ranked
  RankingSide side = RankingSide::kBullish;
  std::size_t rank = 0;  ///< on its side, from 1
};

/// The tickers of the largest median first, above 0, then those of the smallest below 0, 50 of each at most; ties by
/// ticker. Without a median (NaN), and at 0, a ticker is on neither side.
/// @param ticker (U) @param median (U) of five sessions, in mean absolute returns times sqrt(5)
std::vector<RankedTicker> rank_forecasts(std::span<const std::string> ticker, std::span<const double> median);

}  // namespace greekgrid
