#include "greekgrid/host/forecast_ranking.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace greekgrid {
namespace {

void append_side(std::span<const std::string> ticker, std::span<const double> median, RankingSide side,
                 std::vector<RankedTicker>& page) {
  const double sign = side == RankingSide::kBullish ? 1.0 : -1.0;
  std::vector<std::size_t> order;
  for (std::size_t u = 0; u < ticker.size(); ++u) {
    if (sign * median[u] > 0.0) order.push_back(u);  // never of a NaN
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::forward_as_tuple(-std::abs(median[a]), ticker[a], a) <
           std::forward_as_tuple(-std::abs(median[b]), ticker[b], b);
  });
  order.resize(std::min(order.size(), kRankedTickers));
  for (std::size_t k = 0; k < order.size(); ++k) page.push_back({order[k], side, k + 1});
}

}  // namespace

std::vector<RankedTicker> rank_forecasts(std::span<const std::string> ticker, std::span<const double> median) {
  std::vector<RankedTicker> page;
  append_side(ticker, median, RankingSide::kBullish, page);
  append_side(ticker, median, RankingSide::kBearish, page);
  return page;
}

}  // namespace greekgrid
