#include "greekgrid/host/synthetic_history.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "../market/random.hpp"

namespace greekgrid {
namespace {

constexpr std::size_t kMostSessions = 9000;
constexpr std::size_t kTickersPerSplit = 20;

// A value that is drawn towards 0 and pushed by noise, of deviation 1.
class Wanderer {
 public:
  Wanderer(Random& random, double memory) : random_(random), memory_(memory), value_(random.normal()) {}
  double next() { return value_ = memory_ * value_ + std::sqrt(1.0 - memory_ * memory_) * random_.normal(); }

 private:
  Random& random_;
  double memory_, value_;
};

double decimals(double value, double per_unit) {
  return std::round(value * per_unit) / per_unit;
}

// Rows [begin, begin + dates) of one ticker.
void fill(DailyHistory& out, std::size_t begin, std::size_t sessions, double spot, bool splits, Random random) {
  Wanderer volatility(random, 0.97), g(random, 0.98), ratio(random, 0.9), implied(random, 0.98);
  const double usual = random.uniform(0.008, 0.025), shares = std::exp(random.normal() + 13.5);
  const std::size_t split = splits ? sessions / 2 : sessions;
  std::vector<double> log_return(sessions);
  for (double& r : log_return) r = usual * std::exp(0.35 * volatility.next()) * random.normal();
  // Backwards from the spot, one return before the quotes.
  double log_close = std::log(spot) - usual * random.normal();
  for (std::size_t t = sessions; t-- > 0;) {
    const std::size_t row = begin + t;
    const double factor = t < split && splits ? 2.0 : 1.0;
    const auto price = [&](double log_price) { return std::max(decimals(factor * std::exp(log_price), 1e4), 1e-4); };
    const double r = log_return[t], reach = usual * 0.5;
    out.close[row] = price(log_close);
    out.open[row] = price(log_close - r);
    out.high[row] = std::max({out.open[row], out.close[row], price(log_close + reach * random.uniform())});
    out.low[row] = std::min({out.open[row], out.close[row], price(log_close - reach * random.uniform())});
    out.volume[row] = std::ceil(shares / factor * std::exp(0.3 * random.normal() + 0.3 * std::abs(r) / usual));
    out.off_exchange_volume[row] = std::ceil(out.volume[row] * random.uniform(0.3, 0.5));
    const double sold = std::clamp(0.45 + 0.06 * ratio.next(), 0.05, 0.95);
    out.short_volume[row] = std::floor(out.off_exchange_volume[row] * sold);
    out.short_exempt_volume[row] = 0.0;
    out.g[row] = decimals(0.5 + 0.15 * std::tanh(g.next()), 1e6);
    out.g_old[row] = decimals(out.g[row] / (1.0 - out.g[row]), 1e6);
    out.iv30[row] = decimals(usual * std::sqrt(252.0) * std::exp(0.2 * implied.next()), 1e6);
    log_close -= r;
  }
}

}  // namespace

DailyHistory synthesize_history(const OptionChain& chain, std::size_t sessions, std::uint64_t seed,
                                const Calendar& calendar) {
  if (sessions == 0 || sessions > kMostSessions) throw std::invalid_argument("a history of 1 to 9000 sessions is made");
  std::vector<Session> days(sessions);
  Session day = calendar.session_begun_by(chain.quote_time);
  for (std::size_t t = sessions; t-- > 0;) {
    day = calendar.session_on_or_before(Date{std::chrono::sys_days{day.date} - std::chrono::days{1}});
    days[t] = day;
  }
  DailyHistory out;
  std::vector<double> spot;
  for (std::size_t u = 0; u < chain.tickers(); ++u) {
    if (!(chain.spot[u] > 0.0)) continue;
    out.symbol.push_back(chain.ticker[u]);
    out.row_begin.push_back(static_cast<std::int64_t>(spot.size() * sessions));
    out.row_count.push_back(static_cast<std::int64_t>(sessions));
    spot.push_back(chain.spot[u]);
    for (const Session& session : days) {
      out.date.push_back(midnight_of(session.date));
      out.knowledge_time.push_back(std::max(session.close, finra_knowledge_time(session.date)));
    }
  }
  for (const DailyQuantity& quantity : kDailyQuantities) {
    (out.*quantity.column).assign(out.rows(), std::numeric_limits<double>::quiet_NaN());
  }
  oneapi::tbb::parallel_for(std::size_t{0}, spot.size(), [&](std::size_t u) {
    fill(out, u * sessions, sessions, spot[u], u % kTickersPerSplit == kTickersPerSplit - 1,
         Random(seed * 0x9e3779b97f4a7c15ULL + u));
  });
  return out;
}

}  // namespace greekgrid
