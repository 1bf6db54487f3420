#include "greekgrid/host/ticker_forecast.hpp"

#include <algorithm>
#include <cmath>

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
  const Instant last = std::chrono::sys_days(date).time_since_epoch() / std::chrono::seconds(1);
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

template <class... Columns>
void keep_last(Columns&... columns) {
  const auto keep = [](auto& column) {
    if (column.empty()) return;
    column.front() = column.back();
    column.resize(1);
    column.shrink_to_fit();
  };
  (keep(columns), ...);
}

void keep_last_session(TickerForecast& out) {
  SessionSeries& s = out.sessions;
  keep_last(s.date, s.open, s.high, s.low, s.close, s.volume, s.short_ratio, s.short_zero_volume, s.split, s.after_gap);
  s.event = {};
  PredictorSeries& p = out.predictors;
  keep_last(p.r, p.mad, p.p_old, p.v_raw, p.v_old, p.g_old, p.d_old, p.rv20, p.atr5, p.iv30, p.premium, p.premium_score,
            p.premium_regime);
  for (std::size_t k = 0; k < kPredictors; ++k) keep_last(p.x[k], p.status[k], p.z[k], p.old_status[k]);
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
  out.sessions = make_sessions(history, symbol, calendar, corrections);
  if (options.date) cut_after(out.sessions, *options.date);
  if (out.sessions.sessions() == 0) return out;
  std::vector<double> g, iv30;
  g = at_sessions(history, symbol, options.gamma_from_gex ? &DailyHistory::gex : &DailyHistory::g, out.sessions.date,
                  1.0);
  if (options.iv30_symbol.empty()) {
    iv30 = at_sessions(history, symbol, &DailyHistory::iv30, out.sessions.date, 1.0);
  } else {
    const auto found = std::lower_bound(history.symbol.begin(), history.symbol.end(), options.iv30_symbol);
    if (found != history.symbol.end() && *found == options.iv30_symbol) {
      iv30 = at_sessions(history, static_cast<std::size_t>(found - history.symbol.begin()), &DailyHistory::close,
                         out.sessions.date, 0.01);
    }
  }
  out.predictors = compute_predictors(out.sessions, {g, {}, iv30});
  const std::size_t t = out.t();
  std::array<double, kPredictors> z{};
  for (std::size_t k = 0; k < kPredictors; ++k) z[k] = out.predictors.z[k][t];
  const PredictorSet set = valid_set(z);
  out.date = out.sessions.date;
  out.status = TickerForecastStatus::kOk;
  const HorizonData data = make_forecast_data(out.predictors);
  for (std::size_t h = 0; h < kHorizons.size(); ++h) {
    const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(t) - kHorizons[h];
    if (set != 0) {
      const ForecastQuery query = {z, last, t};
      out.now[h] = forecast(data[h], query, set);
      for (std::size_t p = 0; p < kPairs.size(); ++p) {
        if ((set & kPairs[p]) == kPairs[p]) out.pair[h][p] = forecast(data[h], query, kPairs[p]);
      }
    }
    if (out.now[h].status != ForecastStatus::kOk) out.status = TickerForecastStatus::kInsufficientHistory;
  }
  if (options.maps && set != 0) out.maps = make_weather_maps(data, t);
  if (options.record) out.record = walk_forward(data, iv30, out.predictors.mad, seed_of(out.symbol));
  if (options.keep == SeriesKept::kLast) keep_last_session(out);
  return out;
}

double outcome_return(const TickerForecast& forecast, int horizon, double value) {
  return value * forecast.predictors.mad[forecast.t()] * std::sqrt(static_cast<double>(horizon));
}

double outcome_price(const TickerForecast& forecast, int horizon, double value) {
  return forecast.sessions.close[forecast.t()] * (1.0 + outcome_return(forecast, horizon, value));
}

}  // namespace greekgrid
