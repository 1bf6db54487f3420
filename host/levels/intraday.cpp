// A session's surfaces: what is about to settle at every instant, the rest at a few and by polynomial between them.

#include "greekgrid/host/intraday.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "exposure_line.hpp"

namespace greekgrid {
namespace {

constexpr std::size_t kNodes = 6;
constexpr double kFarSessions = 8.0;  // lengths of the session after its close
constexpr double kBandShare = 0.01;
constexpr GreekSet kGreeks = {Greek::kDelta, Greek::kGamma, Greek::kCharm, Greek::kVanna};

// Chebyshev points of a session, its ends among them, at whole seconds.
std::vector<Instant> nodes_of(Instant first, Instant last) {
  std::vector<Instant> nodes;
  for (std::size_t k = 0; k < kNodes; ++k) {
    const double at = 0.5 - 0.5 * std::cos(std::numbers::pi * static_cast<double>(k) / (kNodes - 1));
    nodes.push_back(first + std::llround(at * static_cast<double>(last - first)));
  }
  return nodes;
}

// Weights of the polynomial through values at the nodes, at an instant.
std::vector<double> polynomial(const std::vector<Instant>& nodes, Instant time) {
  std::vector<double> weights(nodes.size(), 1.0);
  for (std::size_t a = 0; a < nodes.size(); ++a) {
    for (std::size_t b = 0; b < nodes.size(); ++b) {
      if (b != a) weights[a] *= static_cast<double>(time - nodes[b]) / static_cast<double>(nodes[a] - nodes[b]);
    }
  }
  return weights;
}

}  // namespace

double gamma_move(std::string_view ticker, double spot) {
  return ticker == "SPX" ? 2.5 : 5e-4 * spot;
}

IntradayAxes make_intraday_axes(const IntradayConfig& config, const Calendar& calendar, Instant quote_time) {
  IntradayAxes axes;
  const Instant close = calendar.closes_after(quote_time, 1).front();
  const auto session = calendar.session(new_york_date(close));
  axes.time = calendar.intraday_after(quote_time, config.step);
  if (session && quote_time >= session->open) axes.time.insert(axes.time.begin(), quote_time);
  const auto half = static_cast<std::ptrdiff_t>(config.spots / 2);
  for (std::ptrdiff_t j = -half; j <= half; ++j) {
    axes.spot_step.push_back(half == 0 ? 0.0 : static_cast<double>(j) * config.half_width / static_cast<double>(half));
  }
  return axes;
}

TickerIntraday compute_intraday(const IntradayInputs& in, const IntradayAxes& axes, Backend& sampler,
                                std::vector<double> storage) {
  const BookView& book = in.book;
  const std::size_t positions = in.positions;
  const std::size_t times = axes.time.size(), spots = axes.spot_step.size(), cells = times * spots;
  const Instant first = axes.time.front(), close = axes.time.back();
  const Instant far = close + static_cast<Instant>(kFarSessions * static_cast<double>(close - first));
  TickerIntraday out;
  out.surface = std::move(storage);
  out.surface.assign(kIntradaySurfaces * positions * kScopes * cells, 0.0);
  const auto at = [&](IntradaySurface surface, std::size_t w, ExpiryScope scope) {
    const std::size_t place =
        (static_cast<std::size_t>(surface) * positions + w) * kScopes + static_cast<std::size_t>(scope);
    return &out.surface[place * cells];
  };

  constexpr double kNoShift[] = {0.0};
  GridView grid;
  grid.quote_time = in.quote_time;
  grid.iv_shift = kNoShift;
  grid.iv_floor = in.iv_floor;
  grid.spots = spots;
  grid.log_spot_begin = axes.spot_step.front() * in.expected_move;
  grid.log_spot_step = spots > 1 ? (axes.spot_step[1] - axes.spot_step[0]) * in.expected_move : 0.0;

  // Expiries are in order of settlement: settled | 0dte | near | far.
  const auto until = [&](Instant last) {
    return static_cast<std::size_t>(std::upper_bound(book.settlement.begin(), book.settlement.end(), last) -
                                    book.settlement.begin());
  };
  const std::size_t begin = until(first), same_day = until(close), near = until(far), end = book.expiries();
  // In the last seconds before the close the points coincide; few instants are evaluated as they are.
  const std::vector<Instant> nodes = times > kNodes ? nodes_of(first, close) : axes.time;
  const BookPart parts[] = {
      {book, positions, begin, same_day}, {book, positions, same_day, near}, {book, positions, near, end}};
  std::vector<double> values[3];
  std::vector<ExposureJob> jobs;
  for (std::size_t p = 0; p < 3; ++p) {
    if (parts[p].view.expiries() == 0) continue;
    GridView one = grid;
    one.time = p == 2 ? std::span<const Instant>(nodes) : std::span<const Instant>(axes.time);
    values[p].resize(kGreeks.size() * positions * one.time.size() * spots);
    jobs.push_back({parts[p].view, one, positions, values[p]});
  }
  // The level of the path: the same contracts at the quote instant and S0.
  const BookPart live(book, positions, begin, end);
  const Instant now[] = {in.quote_time};
  GridView start = grid;
  start.time = now;
  start.spots = 1;
  start.log_spot_begin = start.log_spot_step = 0.0;
  std::vector<double> level(positions, 0.0);
  if (live.view.expiries() > 0) {
    sampler.evaluate(kGreeks, jobs);
    const ExposureJob job = {live.view, start, positions, level};
    sampler.evaluate({Greek::kDelta}, {&job, 1});
  }

  std::vector<std::vector<double>> weights;
  for (const Instant time : axes.time) weights.push_back(polynomial(nodes, time));
  for (std::size_t g = 0; g < kGreeks.size(); ++g) {
    const auto surface = static_cast<IntradaySurface>(g);  // both in the order of Greek
    for (std::size_t w = 0; w < positions; ++w) {
      double* all = at(surface, w, ExpiryScope::kAll);
      double* day = at(surface, w, ExpiryScope::k0dte);
      if (!values[0].empty()) std::copy_n(&values[0][(g * positions + w) * cells], cells, day);
      std::copy_n(day, cells, all);
      if (!values[1].empty()) {
        const double* from = &values[1][(g * positions + w) * cells];
        for (std::size_t c = 0; c < cells; ++c) all[c] += from[c];
      }
      if (values[2].empty()) continue;
      const double* from = &values[2][(g * positions + w) * nodes.size() * spots];
      for (std::size_t t = 0; t < times; ++t) {
        for (std::size_t k = 0; k < nodes.size(); ++k) {
          for (std::size_t j = 0; j < spots; ++j) all[t * spots + j] += weights[t][k] * from[k * spots + j];
        }
      }
    }
  }

  std::vector<double> spot(spots);
  for (std::size_t j = 0; j < spots; ++j) spot[j] = book.spot * std::exp(axes.spot_step[j] * in.expected_move);
  for (std::size_t w = 0; w < positions; ++w) {
    for (const ExpiryScope scope : {ExpiryScope::kAll, ExpiryScope::k0dte}) {
      const double* dx = at(IntradaySurface::kDx, w, scope);
      const double* gx = at(IntradaySurface::kGx, w, scope);
      double* charm_map = at(IntradaySurface::kCharmHeatmap, w, scope);
      double* gamma_map = at(IntradaySurface::kGammaHeatmap, w, scope);
      // Contract-delta: hundredths of shares.
      for (std::size_t c = 0; c + spots < cells; ++c) charm_map[c] = (dx[c + spots] - dx[c]) / 100.0;
      for (std::size_t c = 0; c < cells; ++c) gamma_map[c] = gx[c] * in.move / 100.0;
      const SessionSurface surface = {
          axes.time, spot, {dx, cells}, {gx, cells}, {at(IntradaySurface::kCharm, w, scope), cells}};
      out.line.push_back(trace_lines(surface));
      if (scope != ExpiryScope::kAll) continue;
      double half_band = kBandShare * in.average_daily_volume;
      if (!(half_band > 0.0)) {
        half_band = 0.0;
        for (auto i = static_cast<std::size_t>(book.expiry_begin[begin]); i < book.contracts(); ++i) {
          half_band += kBandShare * std::abs(book.weight[w * book.contracts() + i] * in.delta[i]);
        }
      }
      out.half_band.push_back(half_band);
      out.path.push_back(march_path(surface, book.spot, level[w], half_band));
    }
  }
  return out;
}

}  // namespace greekgrid
