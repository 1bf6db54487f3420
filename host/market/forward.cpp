#include "greekgrid/host/forward.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "median.hpp"

namespace greekgrid {

ParityForward parity_forward(std::span<const StrikeQuotes> quotes, double discount, Exercise exercise) {
  // Early exercise breaks parity away from the money, so American pairs are taken from a narrower band.
  const std::size_t wanted = exercise == Exercise::kEuropean ? 11 : 5;
  std::vector<StrikeQuotes> pairs;
  for (const StrikeQuotes& q : quotes) {
    if (q.call_bid > 0.0 && q.call_ask > q.call_bid && q.put_bid > 0.0 && q.put_ask > q.put_bid) pairs.push_back(q);
  }
  ParityForward result;
  if (pairs.empty()) return result;
  const auto difference = [](const StrikeQuotes& q) {
    return 0.5 * (q.call_bid + q.call_ask) - 0.5 * (q.put_bid + q.put_ask);
  };
  const auto centre = std::min_element(pairs.begin(), pairs.end(), [&](const StrikeQuotes& a, const StrikeQuotes& b) {
    return std::abs(difference(a)) < std::abs(difference(b));
  });
  const double money = centre->strike;
  std::stable_sort(pairs.begin(), pairs.end(), [money](const StrikeQuotes& a, const StrikeQuotes& b) {
    return std::abs(a.strike - money) < std::abs(b.strike - money);
  });
  if (pairs.size() > wanted) pairs.resize(wanted);

  std::vector<double> forwards;
  result.low = -std::numeric_limits<double>::infinity();
  result.high = std::numeric_limits<double>::infinity();
  for (const StrikeQuotes& q : pairs) {
    forwards.push_back(q.strike + difference(q) / discount);
    result.low = std::max(result.low, q.strike + (q.call_bid - q.put_ask) / discount);
    result.high = std::min(result.high, q.strike + (q.call_ask - q.put_bid) / discount);
  }
  result.pairs = static_cast<int>(pairs.size());
  result.forward = median(forwards);
  for (double& forward : forwards) forward = std::abs(forward - result.forward);
  result.residual = median(forwards);
  const double slack = 5e-4 * std::abs(result.forward);
  for (const StrikeQuotes& q : pairs) {
    const double low = q.strike + (q.call_bid - q.put_ask) / discount;
    const double high = q.strike + (q.call_ask - q.put_bid) / discount;
    if (low - slack <= result.forward && result.forward <= high + slack) ++result.supporting;
  }
  return result;
}

}  // namespace greekgrid
