#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <stdexcept>

#include "../market/median.hpp"
#include "greekgrid/host/predictors.hpp"

namespace greekgrid {
namespace {

constexpr Instant kDaySeconds = 86400;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr std::array<double, 16> kSplitFactors{2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100};
constexpr double kLeastSplitRatio = 1.7;
constexpr double kSplitTolerance = 0.10;   // of ln(R / factor)
constexpr double kMostDollarVolume = 5.0;  // of the day over the median of the days before
constexpr double kReportedJump = 0.22;     // of |ln R|
constexpr std::size_t kVolumesBefore = 5;

/// Whether the calendar has a session strictly between two dates.
bool session_between(const Calendar& calendar, Instant before, Instant after) {
  for (Instant day = before + kDaySeconds; day < after; day += kDaySeconds) {
    if (calendar.is_session(Date{std::chrono::sys_days{std::chrono::days{day / kDaySeconds}}})) return true;
  }
  return false;
}

/// Whether the dollars traded at t are those of a split; see make_sessions().
bool trades_like_split(const SessionSeries& series, std::size_t t) {
  if (t < kVolumesBefore) return false;
  std::vector<double> before(kVolumesBefore);
  double factor = 1.0;  // shares of t - 1 per share of i
  for (std::size_t k = 1; k <= kVolumesBefore; ++k) {
    const std::size_t i = t - k;
    before[k - 1] = series.volume[i] * factor;
    if (!std::isfinite(before[k - 1])) return false;
    factor *= series.split[i];
  }
  const double usual = median(std::move(before)) * series.close[t - 1];
  return usual > 0.0 && series.volume[t] * series.close[t] <= kMostDollarVolume * usual;
}

/// The factor of a split with that ratio of closes, or 1.
double nearest_factor(double ratio) {
  const double size = std::max(ratio, 1.0 / ratio);
  if (!(size >= kLeastSplitRatio)) return 1.0;
  double nearest = 1.0, distance = kSplitTolerance;
  for (const double factor : kSplitFactors) {
    const double d = std::abs(std::log(size / factor));
    if (d <= distance) {
      nearest = factor;
      distance = d;
    }
  }
  return ratio > 1.0 ? nearest : 1.0 / nearest;
}

}  // namespace

SessionSeries make_sessions(const DailyHistory& history, std::size_t symbol, const Calendar& calendar,
                            std::span<const SplitCorrection> corrections) {
  std::map<Instant, double> correction;
  const std::string key = corrections.empty() ? std::string() : share_class_key(history.symbol[symbol]);
  for (const SplitCorrection& c : corrections) {
    if (share_class_key(c.symbol) != key) continue;
    if (!(c.factor > 0.0) || !std::isfinite(c.factor)) {
      throw std::invalid_argument("the factor of a split's correction is positive and finite");
    }
    correction[c.date] = c.factor;
  }

  SessionSeries series;
  const auto begin = static_cast<std::size_t>(history.row_begin[symbol]);
  const auto rows = static_cast<std::size_t>(history.row_count[symbol]);
  for (auto* column :
       {&series.open, &series.high, &series.low, &series.close, &series.volume, &series.short_ratio, &series.split}) {
    column->reserve(rows);
  }
  series.date.reserve(rows);
  series.short_zero_volume.reserve(rows);
  series.after_gap.reserve(rows);
  auto next = correction.begin();
  for (std::size_t row = begin; row < begin + rows; ++row) {
    const double close = history.close[row] > 0.0 ? history.close[row] : history.spot[row];
    if (!std::isfinite(close) || !(close > 0.0)) continue;
    const std::size_t t = series.sessions();
    const Instant date = history.date[row];
    series.date.push_back(date);
    series.open.push_back(history.open[row]);
    series.high.push_back(history.high[row]);
    series.low.push_back(history.low[row]);
    series.close.push_back(close);
    series.volume.push_back(history.volume[row]);
    const bool has_dix = !std::isnan(history.dix[row]);
    const bool zero = !has_dix && history.off_exchange_volume[row] == 0.0;
    const double ratio_of_shares = zero ? kNan : history.short_volume[row] / history.off_exchange_volume[row];
    series.short_ratio.push_back(has_dix ? history.dix[row] : ratio_of_shares);
    series.short_zero_volume.push_back(zero ? 1 : 0);
    series.after_gap.push_back(t > 0 && session_between(calendar, series.date[t - 1], date) ? 1 : 0);

    bool corrected = false;
    double factor = 1.0;
    for (; next != correction.end() && next->first <= date; ++next) {
      corrected = true;
      factor *= next->second;
    }
    if (t == 0) {  // what happened by the first session relates it to nothing
      series.split.push_back(1.0);
      continue;
    }
    const double ratio = series.close[t - 1] / close;
    if (!corrected) {
      factor = nearest_factor(ratio);
      if (factor != 1.0 && !trades_like_split(series, t)) factor = 1.0;
    }
    series.split.push_back(factor);
    if (corrected || factor != 1.0 || std::abs(std::log(ratio)) > kReportedJump) {
      series.event.push_back({t, date, ratio, factor, corrected});
    }
  }
  return series;
}

std::vector<double> adjusted_closes(const SessionSeries& series) {
  std::vector<double> close(series.sessions());
  double factor = 1.0;
  for (std::size_t t = close.size(); t-- > 0;) {
    close[t] = series.close[t] / factor;
    factor *= series.split[t];
  }
  return close;
}

}  // namespace greekgrid
