#pragma once

/// @file
/// Discount factors: a flat rate, or zero rates at nodes with log-linear discounts between them.

#include <span>
#include <vector>

namespace greekgrid {

/// One node of a curve.
struct CurveNode {
  double tau = 0.0;        ///< common years, > 0
  double zero_rate = 0.0;  ///< continuously compounded, common_year-1: -ln(discount) / tau
};

/// One point of a par-yield curve, as a treasury publishes it.
struct ParYield {
  double maturity = 0.0;  ///< years, 0 < maturity <= 100
  double yield = 0.0;     ///< bond-equivalent (semiannual), 1: 0.05 for 5 %
};

/// Value now of 1 USD at tau. Immutable.
class DiscountCurve {
 public:
  explicit DiscountCurve(double flat_rate) : flat_rate_(flat_rate) {}
  /// Nodes in increasing tau; ln(discount) is linear between them, the zero rate constant before the first and after
  /// the last. @throws std::invalid_argument if nodes are empty, out of order or not finite
  explicit DiscountCurve(std::vector<CurveNode> nodes);

  /// Continuously compounded zero rate to tau >= 0, common_year-1.
  double zero_rate(double tau) const;

 private:
  double flat_rate_ = 0.0;
  std::vector<CurveNode> node_;
};

/// Zero rates that price every par bond at 1. Up to half a year a yield is that of a discount bond,
/// (1 + y/2)^(-2 maturity); beyond, bonds pay y/2 every half year back from maturity and discounts between nodes are
/// log-linear. Points in increasing maturity; @throws std::invalid_argument otherwise, or where no discount fits.
std::vector<CurveNode> bootstrap_par_yields(std::span<const ParYield> points);

}  // namespace greekgrid
