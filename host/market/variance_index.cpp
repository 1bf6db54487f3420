#include "greekgrid/host/variance_index.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace greekgrid {

std::optional<double> strip_variance(std::span<const StrikeQuotes> quotes, double discount, double tau) {
  const auto middle = [](double bid, double ask) { return 0.5 * (bid + ask); };
  // A side of a strike is quoted when both numbers are there; a bid of zero is a quote without a bid.
  const auto quoted = [](double bid, double ask) { return bid >= 0.0 && ask > 0.0 && ask >= bid; };
  double least = std::numeric_limits<double>::infinity();
  double forward = 0.0;
  for (const StrikeQuotes& q : quotes) {
    if (!quoted(q.call_bid, q.call_ask) || !quoted(q.put_bid, q.put_ask)) continue;
    const double difference = middle(q.call_bid, q.call_ask) - middle(q.put_bid, q.put_ask);
    if (std::abs(difference) < least) {
      least = std::abs(difference);
      forward = q.strike + difference / discount;
    }
  }
  if (!(forward > 0.0)) return std::nullopt;
  std::ptrdiff_t at = -1;
  for (std::size_t i = 0; i < quotes.size() && quotes[i].strike <= forward; ++i) at = static_cast<std::ptrdiff_t>(i);
  if (at < 0) return std::nullopt;

  struct Leg {
    double strike, price;
  };
  std::vector<Leg> legs;
  const auto walk = [&](std::ptrdiff_t from, std::ptrdiff_t step) {
    int without_bid = 0;
    std::size_t count = 0;
    for (std::ptrdiff_t i = from; i >= 0 && i < static_cast<std::ptrdiff_t>(quotes.size()) && without_bid < 2;
         i += step) {
      const StrikeQuotes& q = quotes[static_cast<std::size_t>(i)];
      const double bid = step < 0 ? q.put_bid : q.call_bid;
      const double ask = step < 0 ? q.put_ask : q.call_ask;
      if (bid > 0.0 && ask >= bid) {
        legs.push_back({q.strike, middle(bid, ask)});
        without_bid = 0;
        ++count;
      } else {
        ++without_bid;
      }
    }
    return count;
  };
  const StrikeQuotes& centre = quotes[static_cast<std::size_t>(at)];
  if (!quoted(centre.call_bid, centre.call_ask) || !quoted(centre.put_bid, centre.put_ask)) return std::nullopt;
  if (walk(at - 1, -1) < 2 || walk(at + 1, 1) < 2) return std::nullopt;
  legs.push_back(
      {centre.strike, 0.5 * (middle(centre.call_bid, centre.call_ask) + middle(centre.put_bid, centre.put_ask))});
  std::sort(legs.begin(), legs.end(), [](const Leg& a, const Leg& b) { return a.strike < b.strike; });

  double sum = 0.0;
  for (std::size_t i = 0; i < legs.size(); ++i) {
    const double below = legs[i == 0 ? 0 : i - 1].strike;
    const double above = legs[i + 1 == legs.size() ? i : i + 1].strike;
    const double width = (above - below) / (i == 0 || i + 1 == legs.size() ? 1.0 : 2.0);
    sum += width / (legs[i].strike * legs[i].strike) * legs[i].price;
  }
  const double lift = forward / centre.strike - 1.0;
  const double variance = (2.0 * sum / discount - lift * lift) / tau;
  if (!(variance > 0.0)) return std::nullopt;
  return variance;
}

double interpolate_volatility(double near_tau, double near_variance, double far_tau, double far_variance,
                              double target) {
  const double share = far_tau > near_tau ? (target - near_tau) / (far_tau - near_tau) : 0.0;
  return std::sqrt(((1.0 - share) * near_variance * near_tau + share * far_variance * far_tau) / target);
}

}  // namespace greekgrid
