#include "greekgrid/host/discount_curve.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace greekgrid {

namespace {
constexpr double kLongestBond = 100.0;  // years: its coupons are summed one by one
}

DiscountCurve::DiscountCurve(std::vector<CurveNode> nodes) : node_(std::move(nodes)) {
  if (node_.empty()) throw std::invalid_argument("a rate curve needs a node");
  double before = 0.0;
  for (const CurveNode& node : node_) {
    if (!(node.tau > before) || !std::isfinite(node.tau) || !std::isfinite(node.zero_rate)) {
      throw std::invalid_argument("the nodes of a rate curve are finite and in increasing time");
    }
    before = node.tau;
  }
}

double DiscountCurve::zero_rate(double tau) const {
  if (node_.empty()) return flat_rate_;
  const auto above =
      std::lower_bound(node_.begin(), node_.end(), tau, [](const CurveNode& n, double t) { return n.tau < t; });
  if (above == node_.begin()) return node_.front().zero_rate;
  if (above == node_.end()) return node_.back().zero_rate;
  const CurveNode& a = *(above - 1);
  const double share = (tau - a.tau) / (above->tau - a.tau);
  return ((1.0 - share) * a.zero_rate * a.tau + share * above->zero_rate * above->tau) / tau;
}

std::vector<CurveNode> bootstrap_par_yields(std::span<const ParYield> points) {
  std::vector<CurveNode> nodes;
  double before = 0.0;
  for (const ParYield& point : points) {
    if (!(point.maturity > before) || !(point.maturity <= kLongestBond) || !(point.yield > -0.5) ||
        !(point.yield < 1.0)) {
      throw std::invalid_argument("par yields are in increasing maturity up to 100 years and between -50 % and 100 %");
    }
    before = point.maturity;
    if (point.maturity <= 0.5) {
      nodes.push_back({point.maturity, 2.0 * std::log1p(0.5 * point.yield)});
      continue;
    }
    // The bond's price falls in the node's rate: bisection cannot miss it.
    const auto price_less_par = [&](double rate) {
      std::vector<CurveNode> trial = nodes;
      trial.push_back({point.maturity, rate});
      const DiscountCurve curve(std::move(trial));
      double price = std::exp(-rate * point.maturity);
      for (double t = point.maturity; t > 1e-9; t -= 0.5)
        price += 0.5 * point.yield * std::exp(-curve.zero_rate(t) * t);
      return price - 1.0;
    };
    double low = -0.6, high = 1.0;
    if (!(price_less_par(low) > 0.0) || !(price_less_par(high) < 0.0)) {
      throw std::invalid_argument("no discount prices the par bond of " + std::to_string(point.maturity) + " years");
    }
    for (int i = 0; i < 100 && high - low > 1e-16; ++i) {
      const double middle = 0.5 * (low + high);
      (price_less_par(middle) > 0.0 ? low : high) = middle;
    }
    nodes.push_back({point.maturity, 0.5 * (low + high)});
  }
  return nodes;
}

}  // namespace greekgrid
