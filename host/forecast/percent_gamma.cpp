#include "greekgrid/host/percent_gamma.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../levels/exposure_line.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {
namespace {

constexpr double kMove = 0.01;

double deviation_until(Instant settlement, Instant at) {
  return kPercentGammaVolatility * std::sqrt(static_cast<double>(settlement - at) / kSecondsPerYear);
}

// |change of delta| over a log move, at ln(S / K). Calls and puts differ by a constant in delta: N(d1) serves both.
double delta_change(double log_moneyness, double log_move, double deviation) {
  const auto call_delta = [&](double move) {
    return formulas::normal_distribution((log_moneyness + move) / deviation + 0.5 * deviation);
  };
  return std::abs(call_delta(log_move) - call_delta(0.0));
}

}  // namespace

double PercentGamma::share() const {
  return call + put > 0.0 ? call / (call + put) : std::numeric_limits<double>::quiet_NaN();
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

PercentGamma percent_gamma(const PercentGammaBook& book, double spot, Instant at) {
  PercentGamma sum;
  Instant known = std::numeric_limits<Instant>::min();
  double deviation = 0.0;
  for (std::size_t i = 0; i < book.strike.size(); ++i) {
    const double size = book.open_interest[i] * book.multiplier[i];
    if (!(size > 0.0) || book.settlement[i] <= at) continue;
    if (book.settlement[i] != known) {
      known = book.settlement[i];
      deviation = deviation_until(known, at);
    }
    const bool call = book.right[i] > 0;
    (call ? sum.call : sum.put) +=
        size * delta_change(std::log(spot / book.strike[i]), std::log1p(call ? kMove : -kMove), deviation);
  }
  return sum;
}

std::vector<PercentGamma> percent_gammas(const PercentGammaBook& book, std::span<const double> spot, Instant at) {
  constexpr double kPointsPerDeviation = 8.0, kFarthest = 9.0;  // deviations, beyond which nothing moves
  std::vector<PercentGamma> sums(spot.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < book.strike.size(); ++i) {
    if (book.open_interest[i] * book.multiplier[i] > 0.0 && book.settlement[i] > at) order.push_back(i);
  }
  if (order.empty() || spot.empty()) return sums;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return book.settlement[a] < book.settlement[b]; });
  std::vector<double> x, call, put;  // where a settlement is evaluated: ln S, and its gammas
  for (std::size_t first = 0; first < order.size();) {
    const Instant settlement = book.settlement[order[first]];
    std::size_t last = first;
    while (last < order.size() && book.settlement[order[last]] == settlement) ++last;
    const double deviation = deviation_until(settlement, at);
    const double low = std::log(spot.front()), step = deviation / kPointsPerDeviation;
    const double points = std::ceil((std::log(spot.back()) - low) / step) + static_cast<double>(kStencil) + 2.0;
    const bool carried = points < static_cast<double>(spot.size());
    x.clear();
    if (carried) {
      const double begin = low - static_cast<double>(kStencil) / 2.0 * step;
      for (std::size_t j = 0; j < static_cast<std::size_t>(points); ++j) {
        x.push_back(begin + static_cast<double>(j) * step);
      }
    } else {
      for (const double s : spot) x.push_back(std::log(s));
    }
    call.assign(x.size(), 0.0);
    put.assign(x.size(), 0.0);
    for (std::size_t k = first; k < last; ++k) {
      const std::size_t i = order[k];
      const double log_strike = std::log(book.strike[i]), size = book.open_interest[i] * book.multiplier[i];
      const bool is_call = book.right[i] > 0;
      const double move = std::log1p(is_call ? kMove : -kMove), far = kFarthest * deviation + std::abs(move);
      std::vector<double>& to = is_call ? call : put;
      const auto from = std::lower_bound(x.begin(), x.end(), log_strike - far) - x.begin();
      const auto end = std::upper_bound(x.begin(), x.end(), log_strike + far) - x.begin();
      for (auto j = static_cast<std::size_t>(from); j < static_cast<std::size_t>(end); ++j) {
        to[j] += size * delta_change(x[j] - log_strike, move, deviation);
      }
    }
    for (std::size_t s = 0; s < spot.size(); ++s) {
      if (!carried) {
        sums[s].call += call[s];
        sums[s].put += put[s];
        continue;
      }
      const double place = (std::log(spot[s]) - x.front()) / step;
      const auto below = std::clamp<std::size_t>(static_cast<std::size_t>(place), 3, x.size() - 5);
      const auto weight = lagrange(place - static_cast<double>(below));
      for (std::size_t a = 0; a < kStencil; ++a) {
        sums[s].call += weight[a] * call[below - 3 + a];
        sums[s].put += weight[a] * put[below - 3 + a];
      }
    }
    first = last;
  }
  // Interpolation may leave a trace of the wrong sign far from every strike.
  for (PercentGamma& sum : sums) sum = {std::max(sum.call, 0.0), std::max(sum.put, 0.0)};
  return sums;
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
