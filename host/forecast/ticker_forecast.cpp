#include "greekgrid/host/ticker_forecast.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace greekgrid {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A column of one symbol at the dates of another's sessions, times `scale`; NaN where it has no such row.
std::vector<double> at_sessions(const DailyHistory& history, std::size_t symbol,
                                std::vector<double> DailyHistory::*column, const std::vector<Instant>& sessions,
                                double scale) {
  std::vector<double> values(sessions.size(), kNaN);
  auto row = static_cast<std::size_t>(history.row_begin[symbol]);
  const std::size_t end = row + static_cast<std::size_t>(history.row_count[symbol]);
  for (std::size_t t = 0; t < sessions.size(); ++t) {
    while (row < end && history.date[row] < sessions[t]) ++row;
    if (row < end && history.date[row] == sessions[t]) values[t] = scale * (history.*column)[row];
  }
  return values;
}

template <class Value>
void cut(std::vector<Value>& values, std::size_t size) {
  if (values.size() > size) values.resize(size);
}

// The sessions up to a day: what is later has changed nothing of them.
void cut_after(SessionSeries& series, Date date) {
  const Instant last = midnight_of(date);
  const auto size =
      static_cast<std::size_t>(std::upper_bound(series.date.begin(), series.date.end(), last) - series.date.begin());
  for (auto* column :
       {&series.open, &series.high, &series.low, &series.close, &series.volume, &series.short_ratio, &series.split}) {
    cut(*column, size);
  }
  cut(series.date, size);
  cut(series.short_zero_volume, size);
  cut(series.after_gap, size);
  std::erase_if(series.event, [&](const SplitEvent& event) { return event.session >= size; });
}

// Seed of the random candidates: the same symbol draws the same.
std::uint64_t seed_of(const std::string& symbol) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : symbol) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

}  // namespace

TickerForecast make_ticker_forecast(const DailyHistory& history, std::size_t symbol, const Calendar& calendar,
                                    std::span<const SplitCorrection> corrections,
                                    const TickerForecastOptions& options) {
  TickerForecast out;
  out.symbol = history.symbol[symbol];
  SessionSeries sessions = make_sessions(history, symbol, calendar, corrections);
  if (options.date) cut_after(sessions, *options.date);
  out.event = sessions.event;
  out.date = sessions.date;
  if (sessions.sessions() == 0) return out;
  const auto own = [&](std::vector<double> DailyHistory::*column) {
    return at_sessions(history, symbol, column, sessions.date, 1.0);
  };
  const std::vector<double> g = own(options.gamma_from_gex ? &DailyHistory::gex : &DailyHistory::g);
  const std::vector<double> g_old = own(&DailyHistory::g_old);
  std::vector<double> iv30;
  if (options.iv30_symbol.empty()) {
    iv30 = own(&DailyHistory::iv30);
  } else {
    const auto found = std::lower_bound(history.symbol.begin(), history.symbol.end(), options.iv30_symbol);
    if (found != history.symbol.end() && *found == options.iv30_symbol) {
      iv30 = at_sessions(history, static_cast<std::size_t>(found - history.symbol.begin()), &DailyHistory::close,
                         sessions.date, 0.01);
    }
  }
  PredictorSeries predictors = compute_predictors(sessions, {g, g_old, iv30});
  const std::size_t t = sessions.sessions() - 1;
  out.at = session_predictors(sessions, predictors, t);
  std::array<double, kPredictors> z{};
  for (std::size_t k = 0; k < kPredictors; ++k) z[k] = out.at.z[k];
  out.status = TickerForecastStatus::kOk;
  const HorizonData data = make_forecast_data(predictors);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    const ForecastQuery query = {z, static_cast<std::ptrdiff_t>(t) - kHorizons[h], t};
    const PredictorSet set = UsableSet(data[h])(z, query.last);
    if (set != 0) {
      out.now[h] = forecast(data[h], query, set);
      for (std::size_t p = 0; p < kPairs.size(); ++p) {
        if ((valid_set(z) & kPairs[p]) == kPairs[p]) out.pair[h][p] = forecast(data[h], query, kPairs[p]);
      }
    }
    if (out.now[h].status != ForecastStatus::kOk) out.status = TickerForecastStatus::kInsufficientHistory;
  }
  if (options.record) out.record = walk_forward(data, iv30, predictors.mad, seed_of(out.symbol));
  if (options.series) {
    out.sessions = std::move(sessions);
    out.predictors = std::move(predictors);
  }
  return out;
}

double horizon_mad(double mad, int horizon) {
  return mad * std::sqrt(static_cast<double>(horizon));
}

double outcome_return(const TickerForecast& forecast, int horizon, double value) {
  return value * horizon_mad(forecast.at.mad, horizon);
}

double outcome_price(const TickerForecast& forecast, int horizon, double value) {
  return forecast.at.close * (1.0 + outcome_return(forecast, horizon, value));
}

}  // namespace greekgrid
