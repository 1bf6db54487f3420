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

PercentGammaBook percent_gamma_book(const OptionChain& chain, std::size_t u, std::vector<Instant>& settlement) {
  const auto begin = static_cast<std::size_t>(chain.contract_begin[u]);
  const auto count = static_cast<std::size_t>(chain.contract_count[u]);
  settlement.clear();
  for (std::size_t i = begin; i < begin + count; ++i) {
    settlement.push_back(chain.settlement[static_cast<std::size_t>(chain.contract_expiry[i])]);
  }
  const auto part = [&](const auto& column) { return std::span(column).subspan(begin, count); };
  return {part(chain.strike), part(chain.right), part(chain.open_interest), part(chain.multiplier), settlement};
}

DailyHistory percent_gamma_history(const OptionChain& chain, const Calendar& calendar, Instant knowledge_time) {
  const Date date = calendar.session_begun_by(chain.quote_time).date;
  DailyHistory history;
  std::vector<Instant> settlement;
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    if (!(chain.spot[u] > 0.0)) continue;
    const PercentGammaBook book = percent_gamma_book(chain, u, settlement);
    const double g = percent_gamma(book, chain.spot[u], chain.quote_time).share();
    if (!std::isfinite(g)) continue;
    append_symbol_row(history, chain.ticker[u], date, knowledge_time);
    history.g.back() = g;
  }
  return history;
}

}  // namespace greekgrid
