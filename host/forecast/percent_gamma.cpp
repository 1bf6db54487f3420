#include "greekgrid/host/percent_gamma.hpp"

#include <cmath>
#include <limits>

#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

double PercentGamma::share() const {
  return call + put > 0.0 ? call / (call + put) : std::numeric_limits<double>::quiet_NaN();
}

PercentGamma percent_gamma(const PercentGammaBook& book, double spot, Instant at) {
  constexpr double kMove = 0.01;
  PercentGamma sum;
  Instant known = std::numeric_limits<Instant>::min();
  double deviation = 0.0;
  for (std::size_t i = 0; i < book.strike.size(); ++i) {
    const double size = book.open_interest[i] * book.multiplier[i];
    if (!(size > 0.0) || book.settlement[i] <= at) continue;
    if (book.settlement[i] != known) {
      known = book.settlement[i];
      deviation = kPercentGammaVolatility * std::sqrt(static_cast<double>(known - at) / kSecondsPerYear);
    }
    // Calls and puts differ by a constant in delta: N(d1) serves both.
    const double log_moneyness = std::log(spot / book.strike[i]);
    const auto call_delta = [&](double log_move) {
      return formulas::normal_distribution((log_moneyness + log_move) / deviation + 0.5 * deviation);
    };
    const bool call = book.right[i] > 0;
    const double change = call_delta(std::log1p(call ? kMove : -kMove)) - call_delta(0.0);
    (call ? sum.call : sum.put) += size * std::abs(change);
  }
  return sum;
}

}  // namespace greekgrid
