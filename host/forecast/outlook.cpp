#include "greekgrid/host/outlook.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

StepExtremes extremes_of(const StepForward& step, std::size_t h) {
  const StepForward::Extremes found = step.extremes(h);
  StepExtremes out;
  if (!found.known) return out;
  const Forecast &best = step.forecast[h][found.best_at], &worst = step.forecast[h][found.worst_at];
  out = {true, found.best, best.mean, best.n_eff, found.worst, worst.mean, worst.n_eff};
  return out;
}

}  // namespace

std::vector<std::ptrdiff_t> find_symbols(const DailyHistory& store, std::span<const std::string> ticker) {
  std::unordered_map<std::string, std::ptrdiff_t> place;
  for (std::size_t s = 0; s < store.symbols(); ++s) {
    const auto [found, is_first] = place.try_emplace(share_class_key(store.symbol[s]), static_cast<std::ptrdiff_t>(s));
    if (!is_first && store.row_count[s] > store.row_count[static_cast<std::size_t>(found->second)]) {
      found->second = static_cast<std::ptrdiff_t>(s);
    }
  }
  std::vector<std::ptrdiff_t> symbol;
  for (const std::string& name : ticker) {
    const auto exact = std::lower_bound(store.symbol.begin(), store.symbol.end(), name);
    if (exact != store.symbol.end() && *exact == name) {
      symbol.push_back(exact - store.symbol.begin());
      continue;
    }
    const auto found = place.find(share_class_key(name));
    symbol.push_back(found == place.end() ? -1 : found->second);
  }
  return symbol;
}

DailyHistory with_tonight(const DailyHistory& store, std::ptrdiff_t symbol, const std::string& ticker,
                          const Tonight& tonight) {
  const Instant date = midnight_of(tonight.session);
  DailyHistory out;
  out.symbol = {symbol < 0 ? ticker : store.symbol[static_cast<std::size_t>(symbol)]};
  out.row_begin = {0};
  if (symbol >= 0) {
    const auto first = static_cast<std::size_t>(store.row_begin[static_cast<std::size_t>(symbol)]);
    const auto last = first + static_cast<std::size_t>(store.row_count[static_cast<std::size_t>(symbol)]);
    for (std::size_t row = first; row < last; ++row) {
      if (store.date[row] > date || (store.date[row] == date && !tonight.over)) break;
      if (store.knowledge_time[row] > tonight.known_by) continue;
      out.date.push_back(store.date[row]);
      out.knowledge_time.push_back(store.knowledge_time[row]);
      for (const DailyQuantity& quantity : kDailyQuantities) {
        (out.*quantity.column).push_back((store.*quantity.column)[row]);
      }
    }
  }
  if (out.date.empty() || out.date.back() != date) {
    out.date.push_back(date);
    out.knowledge_time.push_back(date);
    for (const DailyQuantity& quantity : kDailyQuantities) (out.*quantity.column).push_back(kNaN);
  }
  out.row_count = {static_cast<std::int64_t>(out.rows())};
  out.spot.back() = tonight.spot;
  out.g.back() = kNaN;
  out.g_old.back() = tonight.g_old;
  out.iv30.back() = tonight.iv30;
  return out;
}

OutlookAxes make_outlook_axes(bool stored, const OutlookConfig& config, const Calendar& calendar, Instant quote_time) {
  OutlookAxes axes;
  const Session session = calendar.session_begun_by(quote_time), next = calendar.next_session(session.date);
  axes.session = session.date;
  axes.over = quote_time >= session.close;
  axes.known_by = next.open;
  axes.next_close = next.close;
  axes.stored = stored;
  if (!stored) return axes;
  axes.maps = config.maps;
  axes.mode = config.modes;
  return axes;
}

TickerOutlook make_outlook(const NightHistory& history, std::ptrdiff_t symbol, const std::string& ticker,
                           const Tonight& tonight, const PercentGammaBook& book, Instant quote_time,
                           const OutlookAxes& axes, const Calendar& calendar, TickerSteps& steps) {
  TickerOutlook out;
  static const DailyHistory kNone;
  DailyHistory rows = with_tonight(history.store != nullptr ? *history.store : kNone, symbol, ticker, tonight);
  const double close = rows.close.back() > 0.0 ? rows.close.back() : rows.spot.back();
  rows.g.back() = percent_gamma(book, close, quote_time).share();
  TickerForecastOptions options;
  options.series = true;
  options.record = axes.stored;
  out.forecast = make_ticker_forecast(rows, 0, calendar, history.corrections, options);
  out.forecast.symbol = ticker;
  if (!axes.stored || out.forecast.date.empty()) return out;
  steps.sessions = out.forecast.date.size();
  for (const StepMode mode : axes.mode) {
    StepInputs inputs;
    inputs.sessions = &out.forecast.sessions;
    inputs.predictors = &out.forecast.predictors;
    inputs.book = book;
    inputs.now = quote_time;
    inputs.next_close = axes.next_close;
    const StepForward& step = steps.step.emplace_back(step_forward(inputs, mode));
    TickerOutlook::Mode& kept = out.mode.emplace_back();
    kept.d_held = step.d_held;
    kept.g_held = step.g_held;
    for (std::size_t h = 0; h < kHorizons.size(); ++h) kept.extremes[h] = extremes_of(step, h);
  }
  if (axes.maps)
    steps.maps = make_weather_maps(make_forecast_data(out.forecast.predictors), out.forecast.date.size() - 1);
  out.forecast.sessions = {};
  out.forecast.predictors = {};
  return out;
}

}  // namespace greekgrid
